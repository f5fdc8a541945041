/** Where in a file something is wrong; line and column count from 1. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One fault in a configuration or manifest. */
export interface ConfigFault {
  /** Path of keys to the value, such as `plugins[2].parameters.threshold`; empty for the whole file. */
  readonly path: string;
  readonly message: string;
  /** What may stand there, when that is a short list. */
  readonly allowed?: readonly string[];
  readonly position?: SourcePosition;
}

/** A file that cannot be used; every fault found is listed. */
export class ConfigError extends Error {
  override readonly name: string = "ConfigError";
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    super(faults.map(describeFault).join("\n"));
    this.faults = faults;
  }
}

/** `file:line:column: path: message (allowed: …)`, as compilers print it. */
export function describeFault(fault: ConfigFault): string {
  const { position, path, message, allowed } = fault;
  const where =
    position === undefined ? "" : `${position.file}:${position.line}:${position.column}: `;
  const what = path === "" ? message : `${path}: ${message}`;
  return `${where}${what}${allowed === undefined ? "" : ` (allowed: ${allowed.join(", ")})`}`;
}

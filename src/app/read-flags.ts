import { ConfigError, type ConfigFault } from "../core/config-error.ts";
import { durationMs } from "../core/duration.ts";
import type { FlagSpec } from "./flag-spec.ts";
import { quantityBytes } from "./flag-values.ts";

/** Flags as they were understood. */
export interface GivenFlags {
  /** By kebab-case name; of a flag that is repeated the last value, of a list all, comma-separated. */
  readonly given: ReadonlyMap<string, string>;
  /** Every value of a flag in its order. */
  readonly all: ReadonlyMap<string, readonly string[]>;
  /** Flags that are accepted and do nothing here, each with the reason. */
  readonly notes: readonly string[];
}

/** Gathers flags from wherever they are given, with what is wrong with them. */
export class FlagReader {
  readonly #specs: ReadonlyMap<string, FlagSpec>;
  readonly #all = new Map<string, string[]>();
  readonly #faults: ConfigFault[] = [];
  readonly #notes: string[] = [];

  constructor(specs: readonly FlagSpec[]) {
    this.#specs = new Map(specs.map((spec) => [spec.name, spec] as const));
  }

  /** The flag of a kebab-case name. */
  find(name: string): FlagSpec | undefined {
    return this.#specs.get(name);
  }

  /** Takes a value; `where` is how the flag was written, for messages about it. */
  take(spec: FlagSpec, value: string, where: Pick<ConfigFault, "path" | "position">): void {
    const message = faultOf(spec.kind, value);
    const answer = message === undefined ? spec.answer?.(value) : undefined;
    if (message !== undefined) this.fault(where, message);
    if (answer?.kind === "refused") this.fault(where, answer.why);
    if (answer?.kind === "idle") this.#notes.push(`${where.path}: ${answer.why}`);
    const name = spec.aliasOf ?? spec.name;
    this.#all.set(name, [...(this.#all.get(name) ?? []), value]);
  }

  fault(where: Pick<ConfigFault, "path" | "position">, message: string): void {
    this.#faults.push({ ...where, message });
  }

  /** All that was taken; throws ConfigError with every fault. */
  finish(): GivenFlags {
    if (this.#faults.length > 0) throw new ConfigError(this.#faults);
    const given = new Map<string, string>();
    for (const [name, values] of this.#all) {
      const isList = this.#specs.get(name)?.kind === "list";
      given.set(name, isList ? values.join(",") : (values.at(-1) ?? ""));
    }
    return { given, all: this.#all, notes: this.#notes };
  }
}

/**
 * Reads a command line as Go's flag libraries do: kebab-case and camelCase, one dash or two,
 * `--flag=value` and `--flag value`; a switch takes its value with `=` only. Throws ConfigError with
 * every flag that is unknown, malformed, or asks for what cannot be given here.
 */
export function readFlags(
  args: readonly string[],
  program: { readonly command: string; readonly specs: readonly FlagSpec[] },
): GivenFlags {
  const reader = new FlagReader(program.specs);
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    const [, written, joined] = FLAG.exec(word) ?? [];
    if (written === undefined) {
      reader.fault({ path: "" }, `${shown(word)} is no flag`);
      continue;
    }
    const where = { path: `--${written}` };
    const spec = reader.find(kebabName(written));
    if (spec === undefined) {
      reader.fault(where, `unknown flag; \`switchyard ${program.command} --help\` lists them`);
      // What follows is taken for its value, so that one mistake is told once.
      if (joined === undefined && args[i + 1]?.startsWith("-") === false) i++;
      continue;
    }
    const value = joined ?? (spec.kind === "switch" ? "true" : args[++i]);
    if (value === undefined) reader.fault(where, "needs a value");
    else reader.take(spec, value, where);
  }
  return reader.finish();
}

/** `poolName`, `pool-name` and `PoolName` as `pool-name`. */
function kebabName(name: string): string {
  const first = name.charAt(0).toLowerCase() + name.slice(1);
  return first.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

// A value may be a whole configuration, with lines.
const FLAG = /^--?([A-Za-z][\w-]*)(?:=([\s\S]*))?$/;

function faultOf(kind: FlagSpec["kind"], value: string): string | undefined {
  switch (kind) {
    case "switch":
      return /^(true|false|1|0|t|f)$/i.test(value) ? undefined : "must be true or false";
    case "port":
      return /^\d{1,5}$/.test(value) && Number(value) <= 65535
        ? undefined
        : "must be a port, 0 to 65535";
    case "number":
      return /^\d{1,15}$/.test(value) ? undefined : "must be a whole number";
    case "duration":
      return durationMs(value) === undefined
        ? "must be a duration such as 50ms or 1m30s"
        : undefined;
    case "quantity":
      return quantityBytes(value) === undefined ? "must be a size such as 4Mi" : undefined;
    case "text":
    case "list":
      return undefined;
  }
}

function shown(word: string): string {
  return word.length > 40 ? `${JSON.stringify(word.slice(0, 40))}…` : JSON.stringify(word);
}

import type { CheckedFile } from "./check-files.ts";
import { type Diagnostic, SEVERITIES, type Severity } from "./rule.ts";

/** How findings are printed. */
export interface RenderOptions {
  readonly files: readonly CheckedFile[];
  readonly target: string;
  readonly hasColours: boolean;
}

/** ANSI colours of a severity: red, yellow, cyan, blue. */
const COLOURS: Readonly<Record<Severity, number>> = {
  error: 31,
  warning: 33,
  advice: 36,
  note: 34,
};
/** A minified file has one line of any length: what is shown of it is bounded. */
const LINE_LENGTH_MAX = 160;

/** Findings as compilers print them; a rule's reasons stand below its first finding. */
export function renderDiagnostics(
  diagnostics: readonly Diagnostic[],
  options: RenderOptions,
): string {
  const explained = new Set<string>();
  const lines = new Map(options.files.map(({ file, text }) => [file, text.split("\n")]));
  const blocks = diagnostics.map((diagnostic) => {
    const isFirst = !explained.has(diagnostic.rule);
    explained.add(diagnostic.rule);
    return [
      headline(diagnostic, options.hasColours),
      ...excerpt(diagnostic, lines),
      ...(isFirst ? [`  why: ${diagnostic.why}`, `  fix: ${diagnostic.fix}`] : []),
      "",
    ].join("\n");
  });
  return [...blocks, summary(diagnostics, options)].join("\n");
}

function headline({ position, severity, rule, message }: Diagnostic, hasColours: boolean): string {
  const where =
    position === undefined ? "" : `${position.file}:${position.line}:${position.column}: `;
  const label = `${severity}[${rule}]`;
  const shown = hasColours ? `\u001b[1;${COLOURS[severity]}m${label}\u001b[0m` : label;
  return `${where}${shown}: ${message}`;
}

/** The source line and a caret below the column. */
function excerpt(
  { position }: Diagnostic,
  lines: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const line = position && lines.get(position.file)?.[position.line - 1]?.replace(/\r$/, "");
  if (position === undefined || line === undefined) return [];
  const start = Math.max(0, position.column - 1 - LINE_LENGTH_MAX / 2);
  const shown = line.length <= LINE_LENGTH_MAX ? line : line.slice(start, start + LINE_LENGTH_MAX);
  const column = line.length <= LINE_LENGTH_MAX ? position.column : position.column - start;
  // Tabs stay tabs, so that the caret keeps its place.
  const indent = shown.slice(0, column - 1).replace(/[^\t]/g, " ");
  return [`  ${shown}`, `  ${indent}^`];
}

function summary(diagnostics: readonly Diagnostic[], { files, target }: RenderOptions): string {
  const counts = SEVERITIES.map((severity) => {
    const count = diagnostics.filter((diagnostic) => diagnostic.severity === severity).length;
    return `${count} ${severity}${count === 1 || severity === "advice" ? "" : "s"}`;
  });
  const subject = files.length === 1 ? "1 file" : `${files.length} files`;
  return `${counts.join(", ")} in ${subject} for ${target}`;
}

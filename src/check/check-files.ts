import type { ConfigNote } from "../config/router-config.ts";
import { ConfigError, type SourcePosition } from "../core/config-error.ts";
import { COMPARISON_RULES } from "./comparison-rules.ts";
import { FILE_RULES } from "./file-rules.ts";
import { type CheckOptions, openSubject } from "./open-subject.ts";
import { applyRules, type Diagnostic, diagnose, type RuleFacts, SEVERITIES } from "./rule.ts";
import type { RunningRouter } from "./running-router.ts";
import { RUNNING_RULES } from "./running-rules.ts";
import type { Subject } from "./subject.ts";

/** A file to check, already read. */
export interface CheckedFile {
  readonly file: string;
  readonly text: string;
}

/** What to check the files for. */
export interface CheckRun extends CheckOptions {
  /** A router that should run the files. */
  readonly running?: RunningRouter | undefined;
}

/** A file that loading refuses. */
const FAULT: RuleFacts = {
  id: "L1",
  severity: "error",
  group: "L",
  title: "file that cannot be loaded",
  why: "The picker and Switchyard refuse it at start.",
  fix: "Correct the place; where only some values are allowed they are listed.",
};
/** What loading says of a file that it takes. */
const NOTE: RuleFacts = {
  id: "L2",
  severity: "note",
  group: "L",
  title: "what loading mapped, defaulted or left out",
  why: "The file does not say all of what runs.",
  fix: "Nothing, or write down what was assumed.",
};

/** Everything that `check` can say. */
export const ALL_RULES: readonly RuleFacts[] = [
  ...FILE_RULES,
  ...COMPARISON_RULES,
  FAULT,
  NOTE,
  ...RUNNING_RULES,
];

/** Checks files one by one; two that load are compared as well. Sorted by place. */
export function checkFiles(files: readonly CheckedFile[], run: CheckRun): readonly Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  const subjects: Subject[] = [];
  for (const source of files) {
    try {
      const { subject, notes } = openSubject(source, run);
      subjects.push(subject);
      const found = applyRules(FILE_RULES, subject);
      diagnostics.push(...found, ...notesBeside(notes, found));
      if (run.running !== undefined) {
        diagnostics.push(...applyRules(RUNNING_RULES, { subject, router: run.running }));
      }
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      diagnostics.push(...error.faults.map((fault) => loadingFault(fault)));
    }
  }
  const [left, right] = subjects;
  if (files.length === 2 && left !== undefined && right !== undefined) {
    diagnostics.push(...applyRules(COMPARISON_RULES, { left, right }));
  }
  const order = files.map(({ file }) => file);
  return diagnostics.toSorted(
    (one, other) =>
      place(one, order) - place(other, order) ||
      (one.position?.line ?? 0) - (other.position?.line ?? 0) ||
      (one.position?.column ?? 0) - (other.position?.column ?? 0) ||
      SEVERITIES.indexOf(one.severity) - SEVERITIES.indexOf(other.severity),
  );
}

function place({ position }: Diagnostic, order: readonly string[]): number {
  return position === undefined ? order.length : order.indexOf(position.file);
}

function loadingFault(fault: ConfigError["faults"][number]): Diagnostic {
  const { path, message, allowed, position } = fault;
  const what = path === "" ? message : `${path}: ${message}`;
  const full = allowed === undefined ? what : `${what} (allowed: ${allowed.join(", ")})`;
  return diagnose(FAULT, { message: full, position });
}

/** A rule that speaks of the same place says more than the loader's note. */
function notesBeside(
  notes: readonly ConfigNote[],
  found: readonly Diagnostic[],
): readonly Diagnostic[] {
  const key = (position: SourcePosition | undefined): string => JSON.stringify(position ?? null);
  const told = new Set(found.map(({ position }) => key(position)));
  return notes
    .filter(({ position }) => !told.has(key(position)))
    .map(({ message, position }) => diagnose(NOTE, { message, position }));
}

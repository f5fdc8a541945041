import type { SourcePosition } from "../core/config-error.ts";

/** How bad a finding is; a note is what happens elsewhere, or what loading did. */
export const SEVERITIES = ["error", "warning", "advice", "note"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What rules are about, by the letter that their ids begin with. */
export const RULE_GROUPS = {
  B: "Versions and migration",
  C: "Scheduler configuration",
  D: "Prefill/decode and KV transfer",
  E: "RDMA, UCX and networks",
  F: "Resources, probes and placement",
  G: "Model and storage",
  H: "Routing and naming",
  J: "Two files that are compared",
  L: "Loading",
  R: "A running router against its file",
  S: "Settings without effect",
  X: "Hooks",
} as const;
export type RuleGroup = keyof typeof RULE_GROUPS;

/** What a rule says about one place. */
export interface Finding {
  readonly message: string;
  /** Undefined where no place of a file is meant. */
  readonly position: SourcePosition | undefined;
  /** The rule's own unless set. */
  readonly severity?: Severity;
}

/** One thing to look for in a subject. */
export interface Rule<Subject> {
  readonly id: string;
  readonly severity: Exclude<Severity, "note">;
  readonly group: RuleGroup;
  readonly title: string;
  /** What happens if nothing is done. */
  readonly why: string;
  readonly fix: string;
  check(subject: Subject): readonly Finding[];
}

/** What is known of a rule besides how it looks. */
export interface RuleFacts extends Omit<Rule<never>, "check" | "severity"> {
  readonly severity: Severity;
}

/** A finding with its rule, ready to be shown. */
export interface Diagnostic {
  readonly rule: string;
  readonly severity: Severity;
  readonly message: string;
  readonly why: string;
  readonly fix: string;
  readonly position: SourcePosition | undefined;
}

/** Applies rules to a subject; one place is told once for each rule and message. */
export function applyRules<Subject>(
  rules: readonly Rule<Subject>[],
  subject: Subject,
): readonly Diagnostic[] {
  const seen = new Set<string>();
  return rules.flatMap((rule) =>
    rule.check(subject).flatMap((finding) => {
      const diagnostic = diagnose(rule, finding);
      const key = JSON.stringify([rule.id, finding.message, finding.position]);
      // Two pools that share a mapping by a YAML alias have one place.
      if (seen.has(key)) return [];
      seen.add(key);
      return [diagnostic];
    }),
  );
}

/** A finding as its rule's diagnostic. */
export function diagnose(rule: RuleFacts, finding: Finding): Diagnostic {
  return {
    rule: rule.id,
    severity: finding.severity ?? rule.severity,
    message: finding.message,
    why: rule.why,
    fix: rule.fix,
    position: finding.position,
  };
}

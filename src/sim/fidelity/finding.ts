/** One published number beside what the simulation gives for it. */
export interface Finding {
  /** What was measured, such as `20 req/s, output tok/s`. */
  readonly quantity: string;
  readonly published: number;
  readonly simulated: number;
  readonly unit: string;
  /** Largest relative error that counts as reproduced; undefined where the number is only shown. */
  readonly band: number | undefined;
}

/** Findings of one published source. */
export interface FindingGroup {
  readonly title: string;
  /** Where the numbers come from, and how they were made. */
  readonly source: string;
  /** Constants of the model that were fitted on these very numbers; empty when none were. */
  readonly fittedHere: string;
  readonly findings: readonly Finding[];
  /** What a reader has to know, such as a check that was left out. */
  readonly remarks: readonly string[];
}

/** Relative error, positive when the simulation is above. */
export function errorOf({ published, simulated }: Finding): number {
  return published === 0 ? simulated : simulated / published - 1;
}

/** Whether the error lies outside of the band. */
export function isMiss(finding: Finding): boolean {
  return finding.band !== undefined && Math.abs(errorOf(finding)) > finding.band;
}

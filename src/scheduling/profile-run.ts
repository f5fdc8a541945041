import type { SchedulingProfile } from "./scheduling-profile.ts";

/** Candidate survived all filters. */
export const SURVIVED = -1;

/** What one run of a profile saw and decided; reused for each request, by original candidate index. */
export class ProfileRun {
  readonly profile: SchedulingProfile;
  candidateCount = 0;
  /** Slots before filtering. */
  slots: Int32Array = new Int32Array(0);
  /** Index of the filter that dropped the candidate, or SURVIVED. */
  rejectedBy: Int32Array = new Int32Array(0);
  readonly reasons: string[] = [];
  /** Raw scores, one column for each scorer. */
  readonly scores: Float64Array[];
  /** Ranked survivors' original indexes, best first. */
  order: Int32Array = new Int32Array(0);
  /** Their slots. */
  rankedSlots: Int32Array = new Int32Array(0);
  rankedCount = 0;
  survivorCount = 0;

  constructor(profile: SchedulingProfile) {
    this.profile = profile;
    this.scores = profile.scorers.map(() => new Float64Array(0));
  }

  /** Starts a run over `count` slots. */
  begin(slots: Int32Array, count: number): void {
    if (this.slots.length < count) this.#grow(Math.max(16, 2 * count));
    this.slots.set(slots.subarray(0, count));
    this.candidateCount = count;
    this.survivorCount = 0;
    this.rankedCount = 0;
    this.rejectedBy.fill(SURVIVED, 0, count);
  }

  /** A run that fails in a filter reaches no scorer: the last run's scores must not stand for its own. */
  clearScores(): void {
    for (const column of this.scores) column.fill(0, 0, this.candidateCount);
  }

  #grow(room: number): void {
    this.slots = new Int32Array(room);
    this.rejectedBy = new Int32Array(room);
    this.order = new Int32Array(room);
    this.rankedSlots = new Int32Array(room);
    for (let i = 0; i < this.scores.length; i++) this.scores[i] = new Float64Array(room);
  }
}

import { invariant } from "../core/invariant.ts";
import type { Candidates, Cycle, ProfileOutcome } from "../plugin/cycle.ts";
import type { BoundPlugin, Instrument } from "../plugin/instrument.ts";
import { rankedCount } from "../plugin/ranked-count.ts";
import { type ProfileRun, SURVIVED } from "./profile-run.ts";

/** Candidates of a run that filters compact in place; `originals` maps back to the run's indexes. */
class CandidateList implements Candidates {
  slots: Int32Array = new Int32Array(0);
  originals: Int32Array = new Int32Array(0);
  count = 0;

  /** As far as `originals` counts up from 0, as it does until a filter drops somebody. */
  #countedUpTo = 0;

  begin(slots: Int32Array, count: number): void {
    if (this.slots.length < count) {
      this.slots = new Int32Array(2 * count);
      this.originals = new Int32Array(2 * count);
      this.#countedUpTo = 0;
    }
    this.slots.set(slots.subarray(0, count));
    for (; this.#countedUpTo < count; this.#countedUpTo++) {
      this.originals[this.#countedUpTo] = this.#countedUpTo;
    }
    this.count = count;
  }

  /** Leaves out whom `isKept` refuses. */
  keep(isKept: (original: number) => boolean): void {
    let kept = 0;
    for (let i = 0; i < this.count; i++) {
      const original = this.originals[i] as number;
      if (!isKept(original)) continue;
      this.slots[kept] = this.slots[i] as number;
      this.originals[kept++] = original;
    }
    if (kept < this.count) this.#countedUpTo = 0;
    this.count = kept;
  }

  /** Whether every candidate still has its index of the beginning. */
  get isWhole(): boolean {
    return this.#countedUpTo >= this.count;
  }

  /** Writes the candidates' values to a column by original index. */
  spread(values: Float64Array, column: Float64Array): void {
    const { count, originals } = this;
    for (let i = 0; i < count; i++) column[originals[i] as number] = values[i] as number;
  }
}

/** Runs profiles: filters, scorers, picker. Its buffers are reused, so one runner serves one core. */
export class ProfileRunner {
  readonly #instrument: Instrument;
  readonly #candidates = new CandidateList();
  #scores = new Float64Array(0);
  #totals = new Float64Array(0);
  #order = new Int32Array(0);
  /** Run number in which an index was last seen in an order. */
  #seenIn = new Float64Array(0);
  #runNumber = 0;

  constructor(instrument: Instrument) {
    this.#instrument = instrument;
  }

  /** Fills `run` and says how it ended. */
  run(run: ProfileRun, cycle: Cycle, slots: Int32Array, count: number): ProfileOutcome {
    run.begin(slots, count);
    this.#candidates.begin(slots, count);
    if (this.#scores.length < count) {
      this.#scores = new Float64Array(2 * count);
      this.#totals = new Float64Array(2 * count);
      this.#order = new Int32Array(2 * count);
      this.#seenIn = new Float64Array(2 * count);
    }
    for (const [index, filter] of run.profile.filters.entries()) {
      if (this.#candidates.count === 0) break;
      if (this.#filter(run, index, filter, cycle)) continue;
      run.clearScores();
      return { kind: "failed", plugin: filter.name };
    }
    if (this.#candidates.count === 0) return { kind: "empty" };
    this.#score(run, cycle);
    return this.#pick(run, cycle);
  }

  #filter(run: ProfileRun, filterIndex: number, filter: BoundPlugin, cycle: Cycle): boolean {
    const candidates = this.#candidates;
    const outcome = this.#instrument.call(filter, "filter", (instance) =>
      instance.filter?.(cycle, candidates, (index, reason) => {
        invariant(index >= 0 && index < candidates.count, `${filter.name} rejects nobody`);
        const original = candidates.originals[index] as number;
        run.rejectedBy[original] = filterIndex;
        run.reasons[original] = reason;
      }),
    );
    if (!outcome.ok) return false;
    candidates.keep((original) => run.rejectedBy[original] === SURVIVED);
    return true;
  }

  #score(run: ProfileRun, cycle: Cycle): void {
    const candidates = this.#candidates;
    const { count } = candidates;
    const totals = this.#totals.fill(0, 0, count);
    for (const [index, { plugin, weight }] of run.profile.scorers.entries()) {
      const column = run.scores[index] as Float64Array;
      // Where nobody was dropped the scorer writes what is recorded, which saves a copy.
      const scores = (candidates.isWhole ? column : this.#scores).fill(0, 0, count);
      const outcome = this.#instrument.call(plugin, "score", (instance) =>
        instance.score?.(cycle, candidates, scores),
      );
      // What a scorer wrote before it threw is half an opinion: it counts as none.
      if (!outcome.ok) scores.fill(0, 0, count);
      addWeighted(scores, totals, count, weight);
      if (scores !== column) candidates.spread(scores, column);
    }
  }

  #pick(run: ProfileRun, cycle: Cycle): ProfileOutcome {
    const candidates = this.#candidates;
    const { picker } = run.profile;
    // An index that the picker leaves unwritten is invalid, not what the last picker wrote.
    const order = this.#order.fill(-1, 0, candidates.count);
    const outcome = this.#instrument.call(picker, "pick", (instance) =>
      instance.pick?.(cycle, candidates, this.#totals, order),
    );
    if (!outcome.ok) return { kind: "failed", plugin: picker.name };
    const advertised = Math.min(Math.max(1, outcome.value ?? 1), candidates.count);
    const ranked = rankedCount(candidates.count, advertised);
    if (!this.#isRanked(ranked, candidates.count)) return { kind: "failed", plugin: picker.name };
    run.survivorCount = candidates.count;
    run.rankedCount = ranked;
    const picked = new Array<number>(ranked);
    for (let rank = 0; rank < ranked; rank++) {
      const index = order[rank] as number;
      const slot = candidates.slots[index] as number;
      run.order[rank] = candidates.originals[index] as number;
      run.rankedSlots[rank] = slot;
      picked[rank] = slot;
    }
    return { kind: "picked", slots: picked, advertised };
  }

  /** A picker must rank candidates, each once; anything else is its fault. */
  #isRanked(ranked: number, count: number): boolean {
    this.#runNumber++;
    for (let rank = 0; rank < ranked; rank++) {
      const index = this.#order[rank] as number;
      if (index < 0 || index >= count || this.#seenIn[index] === this.#runNumber) return false;
      this.#seenIn[index] = this.#runNumber;
    }
    return true;
  }
}

/** A score outside 0..1 counts as the nearest end, NaN as 0 (llm-d clamps alike; NaN it leaves open). */
function addWeighted(
  scores: Float64Array,
  totals: Float64Array,
  count: number,
  weight: number,
): void {
  for (let i = 0; i < count; i++) {
    let score = scores[i] as number;
    if (!(score >= 0 && score <= 1)) {
      score = score > 1 ? 1 : 0;
      scores[i] = score;
    }
    totals[i] = (totals[i] as number) + score * weight;
  }
}

import { invariant } from "../core/invariant.ts";
import type { Candidates, Cycle, ProfileOutcome } from "../plugin/cycle.ts";
import type { BoundPlugin, Instrument } from "../plugin/instrument.ts";
import { type ProfileRun, SURVIVED } from "./profile-run.ts";

/** Candidates of a run that filters compact in place; `originals` maps back to the run's indexes. */
class CandidateList implements Candidates {
  slots: Int32Array = new Int32Array(0);
  originals: Int32Array = new Int32Array(0);
  count = 0;

  begin(slots: Int32Array, count: number): void {
    if (this.slots.length < count) {
      this.slots = new Int32Array(2 * count);
      this.originals = new Int32Array(2 * count);
    }
    for (let i = 0; i < count; i++) {
      this.slots[i] = slots[i] as number;
      this.originals[i] = i;
    }
    this.count = count;
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
      if (!this.#filter(run, index, filter, cycle)) return { kind: "failed", plugin: filter.name };
    }
    if (this.#candidates.count === 0) return { kind: "empty" };
    this.#score(run, cycle);
    return this.#pick(run, cycle);
  }

  #filter(run: ProfileRun, filterIndex: number, filter: BoundPlugin, cycle: Cycle): boolean {
    const { instance } = filter;
    const candidates = this.#candidates;
    const outcome = this.#instrument.call(filter, "filter", () =>
      instance.filter?.(cycle, candidates, (index, reason) => {
        invariant(index >= 0 && index < candidates.count, `${filter.name} rejects nobody`);
        const original = candidates.originals[index] as number;
        run.rejectedBy[original] = filterIndex;
        run.reasons[original] = reason;
      }),
    );
    if (!outcome.ok) return false;
    let kept = 0;
    for (let i = 0; i < candidates.count; i++) {
      const original = candidates.originals[i] as number;
      if (run.rejectedBy[original] !== SURVIVED) continue;
      candidates.slots[kept] = candidates.slots[i] as number;
      candidates.originals[kept++] = original;
    }
    candidates.count = kept;
    return true;
  }

  #score(run: ProfileRun, cycle: Cycle): void {
    const candidates = this.#candidates;
    const { count } = candidates;
    const totals = this.#totals.fill(0, 0, count);
    for (const [index, { plugin, weight }] of run.profile.scorers.entries()) {
      const scores = this.#scores.fill(0, 0, count);
      const { instance } = plugin;
      const outcome = this.#instrument.call(plugin, "score", () =>
        instance.score?.(cycle, candidates, scores),
      );
      // What a scorer wrote before it threw is half an opinion: it counts as none.
      if (!outcome.ok) scores.fill(0, 0, count);
      const column = run.scores[index] as Float64Array;
      for (let i = 0; i < count; i++) {
        const score = clamped(scores[i] as number);
        column[candidates.originals[i] as number] = score;
        totals[i] = (totals[i] as number) + score * weight;
      }
    }
    for (let i = 0; i < count; i++) {
      run.totals[candidates.originals[i] as number] = totals[i] as number;
    }
  }

  #pick(run: ProfileRun, cycle: Cycle): ProfileOutcome {
    const candidates = this.#candidates;
    const { picker } = run.profile;
    const { instance } = picker;
    // An index that the picker leaves unwritten is invalid, not what the last picker wrote.
    const order = this.#order.fill(-1, 0, candidates.count);
    const outcome = this.#instrument.call(picker, "pick", () =>
      instance.pick?.(cycle, candidates, this.#totals, order),
    );
    if (!outcome.ok || !this.#ordersAll(candidates.count)) {
      return { kind: "failed", plugin: picker.name };
    }
    run.survivorCount = candidates.count;
    const picked: number[] = [];
    for (let rank = 0; rank < candidates.count; rank++) {
      const index = order[rank] as number;
      run.order[rank] = candidates.originals[index] as number;
      picked.push(candidates.slots[index] as number);
    }
    const advertised = Math.min(Math.max(1, outcome.value ?? 1), picked.length);
    return { kind: "picked", slots: picked, advertised };
  }

  /** A picker must order all candidates, each once; anything else is its fault. */
  #ordersAll(count: number): boolean {
    this.#runNumber++;
    for (let rank = 0; rank < count; rank++) {
      const index = this.#order[rank] as number;
      if (index < 0 || index >= count || this.#seenIn[index] === this.#runNumber) return false;
      this.#seenIn[index] = this.#runNumber;
    }
    return true;
  }
}

/** A score outside 0..1 counts as the nearest end, NaN as 0 (llm-d clamps alike; NaN it leaves open). */
function clamped(score: number): number {
  if (!(score > 0)) return 0;
  return Math.min(score, 1);
}

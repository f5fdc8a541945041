import { invariant } from "../core/invariant.ts";
import type { KvCache } from "./kv-cache.ts";
import type { Sequence } from "./sequence.ts";

/**
 * Where the sequences of a decode run stand in their last block. Step k feeds token `computed + k`, so a
 * sequence takes a block in every step that makes this a multiple of the block size, and fills one in
 * the step before. Sequences with equal remainder do so together.
 */
export class BlockPhases {
  readonly #blockTokens: number;
  /** Sequences sorted by remainder, in batch order within one. */
  #members: Sequence[] = [];
  /** `#members[#starts[r], #starts[r + 1])` have remainder r. */
  readonly #starts: Int32Array;

  constructor(blockTokens: number) {
    this.#blockTokens = blockTokens;
    this.#starts = new Int32Array(blockTokens + 1);
  }

  /** Sorts the batch as it stands before the run's first step. */
  sort(running: readonly Sequence[]): void {
    const starts = this.#starts.fill(0);
    const next = (remainder: number): number => starts[remainder + 1] as number;
    for (const { computed } of running) {
      const remainder = computed % this.#blockTokens;
      starts[remainder + 1] = next(remainder) + 1;
    }
    for (let r = 0; r < this.#blockTokens; r++) starts[r + 1] = next(r) + (starts[r] as number);
    this.#members = new Array<Sequence>(running.length);
    for (let i = running.length - 1; i >= 0; i--) {
      const sequence = running[i] as Sequence;
      const remainder = sequence.computed % this.#blockTokens;
      const at = next(remainder) - 1;
      starts[remainder + 1] = at;
      this.#members[at] = sequence;
    }
    // Placing moved each end to its start; shift them back by one remainder.
    for (let r = 0; r < this.#blockTokens; r++) starts[r] = next(r);
    starts[this.#blockTokens] = running.length;
  }

  /** Steps from the first that `freeBlocks` blocks suffice for; the first has taken its blocks already. */
  stepsWithin(freeBlocks: number): number {
    const batch = this.#members.length;
    const rounds = Math.floor(freeBlocks / batch);
    let left = freeBlocks - rounds * batch;
    let steps = 1 + rounds * this.#blockTokens;
    for (;;) {
      left -= this.#count(this.#takingAt(steps));
      if (left < 0) return steps;
      steps++;
    }
  }

  /** Steps from the first until one takes or fills a block. */
  stepsToBlockChange(): number {
    let steps = 1;
    while (this.#count(this.#takingAt(steps)) + this.#count(this.#takingAt(steps + 1)) === 0) {
      steps++;
    }
    return steps;
  }

  /** Takes and fills blocks for steps `[from, to)`, in the order of stepping one by one. */
  apply(kv: KvCache, from: number, to: number): void {
    for (let step = Math.max(1, from); step < to; step++) {
      const taking = this.#takingAt(step);
      for (let i = this.#starts[taking] as number; i < (this.#starts[taking + 1] as number); i++) {
        const sequence = this.#members[i] as Sequence;
        const hasRoom = kv.grow(sequence, sequence.computed + step + 1);
        invariant(hasRoom, "a run outlived the free blocks");
      }
      const filling = this.#takingAt(step + 1);
      for (
        let i = this.#starts[filling] as number;
        i < (this.#starts[filling + 1] as number);
        i++
      ) {
        const sequence = this.#members[i] as Sequence;
        kv.keyFullBlocks(sequence, sequence.computed + step + 1);
      }
    }
  }

  /** Remainder of the sequences that take a block in a step. */
  #takingAt(step: number): number {
    const ahead = step % this.#blockTokens;
    return ahead === 0 ? 0 : this.#blockTokens - ahead;
  }

  #count(remainder: number): number {
    return (this.#starts[remainder + 1] as number) - (this.#starts[remainder] as number);
  }
}

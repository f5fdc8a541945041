import type { Rng } from "../core/rng.ts";
import { rankedCount } from "./ranked-count.ts";
import { shuffledIndexes } from "./shuffle.ts";

/**
 * Ranks candidates by total, highest first, equal totals by lot. Few are shuffled and sorted stably, of more
 * the best are selected in one pass. Its buffers are reused by every call.
 */
export class TotalOrder {
  #keys = new Float64Array(0);
  #spareKeys = new Float64Array(0);
  #spareOrder = new Int32Array(0);

  /** Writes the ranked candidates' indexes to `order`. */
  write(
    order: Int32Array,
    totals: Float64Array,
    count: number,
    options: { readonly advertised: number; readonly rng: Rng },
  ): void {
    const { advertised, rng } = options;
    const ranked = rankedCount(count, advertised);
    if (ranked < count) {
      selectBest(order, totals, count, { ranked, salt: rng.below(2 ** 32) | 0 });
      return;
    }
    if (this.#keys.length < count) {
      this.#keys = new Float64Array(count);
      this.#spareKeys = new Float64Array(count);
      this.#spareOrder = new Int32Array(count);
    }
    shuffledIndexes(order, count, rng);
    for (let i = 0; i < count; i++) this.#keys[i] = totals[order[i] as number] as number;
    this.#sort(order, count);
  }

  /** Merge sort from the bottom up, stable. */
  #sort(order: Int32Array, count: number): void {
    let [fromKeys, toKeys] = [this.#keys, this.#spareKeys];
    let [fromOrder, toOrder]: [Int32Array, Int32Array] = [order, this.#spareOrder];
    for (let width = 1; width < count; width *= 2) {
      for (let start = 0; start < count; start += 2 * width) {
        const middle = Math.min(start + width, count);
        const end = Math.min(start + 2 * width, count);
        let left = start;
        let right = middle;
        for (let to = start; to < end; to++) {
          const isLeft =
            right >= end ||
            (left < middle && (fromKeys[left] as number) >= (fromKeys[right] as number));
          const from = isLeft ? left++ : right++;
          toKeys[to] = fromKeys[from] as number;
          toOrder[to] = fromOrder[from] as number;
        }
      }
      [fromKeys, toKeys] = [toKeys, fromKeys];
      [fromOrder, toOrder] = [toOrder, fromOrder];
    }
    if (fromOrder !== order) order.set(fromOrder.subarray(0, count));
  }
}

/** Keeps the best so far sorted; most candidates lose against the last of them and cost one comparison. */
function selectBest(
  order: Int32Array,
  totals: Float64Array,
  count: number,
  { ranked, salt }: { readonly ranked: number; readonly salt: number },
): void {
  let kept = 0;
  let worst = lowerBound(totals, count, ranked);
  for (let i = 0; i < count; i++) {
    const total = totals[i] as number;
    if (total < worst) continue;
    const isFull = kept === ranked;
    if (isFull && total === worst && isDrawnBefore(order[kept - 1] as number, i, salt)) continue;
    if (!isFull) kept++;
    let at = kept - 1;
    for (; at > 0; at--) {
      const before = order[at - 1] as number;
      const beforeTotal = totals[before] as number;
      if (beforeTotal > total) break;
      if (beforeTotal === total && isDrawnBefore(before, i, salt)) break;
      order[at] = before;
    }
    order[at] = i;
    if (kept === ranked) worst = totals[order[kept - 1] as number] as number;
  }
}

/** The least of the highest totals of `ranked` stretches: as many candidates reach it, so no other is needed. */
function lowerBound(totals: Float64Array, count: number, ranked: number): number {
  const stretch = Math.floor(count / ranked);
  let lowest = Number.POSITIVE_INFINITY;
  for (let start = 0; start < ranked * stretch; start += stretch) {
    let highest = totals[start] as number;
    for (let i = start + 1; i < start + stretch; i++) {
      const total = totals[i] as number;
      if (total > highest) highest = total;
    }
    if (highest < lowest) lowest = highest;
  }
  return lowest;
}

function isDrawnBefore(left: number, right: number, salt: number): boolean {
  return lotOf(left, salt) < lotOf(right, salt);
}

/**
 * A number for each index, different for any two, that a salt puts in another order (the mixing of murmur3,
 * which is a bijection): equal totals are drawn by it, and only they need one.
 */
function lotOf(index: number, salt: number): number {
  let lot = (index ^ salt) | 0;
  lot = Math.imul(lot ^ (lot >>> 16), 0x85ebca6b);
  lot = Math.imul(lot ^ (lot >>> 13), 0xc2b2ae35);
  return lot ^ (lot >>> 16);
}

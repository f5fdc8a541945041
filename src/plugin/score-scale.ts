import type { Candidates } from "./cycle.ts";

/** Score of a candidate whose value is unknown: neither preferred nor avoided. */
export const UNKNOWN_SCORE = 0.5;

/** Smallest and largest known value among the candidates; both NaN when none is known. */
export interface KnownRange {
  readonly lowest: number;
  readonly highest: number;
}

/** Range of a column over the candidates; NaN entries are left out. */
export function knownRange(column: Float64Array, candidates: Candidates): KnownRange {
  const { count, slots } = candidates;
  let lowest = Number.POSITIVE_INFINITY;
  let highest = Number.NEGATIVE_INFINITY;
  // NaN fails both comparisons.
  for (let i = 0; i < count; i++) {
    const value = column[slots[i] as number] as number;
    if (value <= lowest) lowest = value;
    if (value >= highest) highest = value;
  }
  return lowest <= highest ? { lowest, highest } : { lowest: Number.NaN, highest: Number.NaN };
}

/** Scores all candidates by a column: see `lowerIsBetter`. */
export function scoreLowerIsBetter(
  column: Float64Array,
  candidates: Candidates,
  scores: Float64Array,
): void {
  const { count, slots } = candidates;
  const { lowest, highest } = knownRange(column, candidates);
  const width = highest - lowest;
  for (let i = 0; i < count; i++) {
    const value = column[slots[i] as number] as number;
    if (Number.isNaN(value)) scores[i] = UNKNOWN_SCORE;
    else scores[i] = width === 0 ? 1 : (highest - value) / width;
  }
}

/** 1 at the lowest value, 0 at the highest, 1 when all are equal, 0.5 for an unknown one. */
export function lowerIsBetter(value: number, range: KnownRange): number {
  if (Number.isNaN(value)) return UNKNOWN_SCORE;
  const width = range.highest - range.lowest;
  return width === 0 ? 1 : (range.highest - value) / width;
}

/** 0 at the lowest value, 1 at the highest, 1 when all are equal, 0.5 for an unknown one. */
export function higherIsBetter(value: number, range: KnownRange): number {
  if (Number.isNaN(value)) return UNKNOWN_SCORE;
  const width = range.highest - range.lowest;
  return width === 0 ? 1 : (value - range.lowest) / width;
}

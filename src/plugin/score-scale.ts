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
  let lowest = Number.NaN;
  let highest = Number.NaN;
  for (let i = 0; i < candidates.count; i++) {
    const value = column[candidates.slots[i] as number] as number;
    if (Number.isNaN(value)) continue;
    if (!(value >= lowest)) lowest = value;
    if (!(value <= highest)) highest = value;
  }
  return { lowest, highest };
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

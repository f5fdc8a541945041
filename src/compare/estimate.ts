/** A figure over the seeds. */
export interface Estimate {
  readonly mean: number;
  readonly least: number;
  readonly most: number;
}

/** Folds one value a seed; undefined without any. */
export function estimate(values: readonly number[]): Estimate | undefined {
  if (values.length === 0) return undefined;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, least: Math.min(...values), most: Math.max(...values) };
}

/** Half of the spread over the seeds. */
export function spread({ least, most }: Estimate): number {
  return (most - least) / 2;
}

/** Which of two figures is the larger one. */
export type Comparison = "left" | "right" | "equal";

/**
 * Compares by the means; figures whose ranges over the seeds touch, or whose means differ by no more than
 * `tolerance` of the smaller one, are equal.
 */
export function larger(left: Estimate, right: Estimate, tolerance: number): Comparison {
  const smaller = Math.min(Math.abs(left.mean), Math.abs(right.mean));
  if (Math.abs(left.mean - right.mean) <= tolerance * smaller) return "equal";
  if (left.least > right.most) return "left";
  return right.least > left.most ? "right" : "equal";
}

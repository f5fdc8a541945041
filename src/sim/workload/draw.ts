import type { Rng } from "../../core/rng.ts";

/** A whole number with a log-normal distribution of this mean; `sigma` 0 is the mean itself. */
export function drawLength(rng: Rng, mean: number, sigma: number, most: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - rng.next())) * Math.cos(2 * Math.PI * rng.next());
  const length = Math.exp(Math.log(mean) - sigma ** 2 / 2 + sigma * normal);
  return Math.min(most, Math.max(1, Math.round(length)));
}

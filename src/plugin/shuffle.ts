import type { Rng } from "../core/rng.ts";

/** Writes 0..count-1 to `order` in uniformly random order (Fisher-Yates). */
export function shuffledIndexes(order: Int32Array, count: number, rng: Rng): void {
  for (let i = 0; i < count; i++) {
    const j = rng.below(i + 1);
    order[i] = order[j] as number;
    order[j] = i;
  }
}

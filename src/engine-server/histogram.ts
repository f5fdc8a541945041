/** Counts of observed values below each bound, as Prometheus keeps them. */
export class Histogram {
  readonly bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  /** `bounds` ascend and leave out the last, infinite one. */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > (this.bounds[bucket] as number)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += value;
  }

  get sum(): number {
    return this.#sum;
  }

  /** How many values were at most each bound; the last entry counts all. */
  cumulativeCounts(): readonly number[] {
    let total = 0;
    return Array.from(this.#counts, (count) => {
      total += count;
      return total;
    });
  }
}

/** 1, 2, 5, 10, 20, 50, … as long as they are at most `max` (vLLM `build_1_2_5_buckets`). */
export function buckets125(max: number): readonly number[] {
  const bounds: number[] = [];
  for (let decade = 1; decade <= max; decade *= 10) {
    for (const step of [1, 2, 5]) if (step * decade <= max) bounds.push(step * decade);
  }
  return bounds;
}

import { invariant } from "../core/invariant.ts";
import type { MetricLabels } from "../core/meter.ts";

/** One series of a counter or gauge. */
export class NumberSeries {
  readonly labels: MetricLabels;
  value = 0;

  constructor(labels: MetricLabels) {
    this.labels = labels;
  }
}

/** One series of a histogram. */
export class HistogramSeries {
  readonly labels: MetricLabels;
  readonly bounds: readonly number[];
  /** Observations in each bucket alone; the last is for those above all bounds. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(labels: MetricLabels, bounds: readonly number[]) {
    this.labels = labels;
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    invariant(Number.isFinite(value), "an observed value is a number");
    const { bounds, counts } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    counts[bucket] = (counts[bucket] as number) + 1;
    this.sum += value;
  }

  /** Adds the observations of a series of the same bounds. */
  add(counts: Float64Array, sum: number): void {
    for (const [bucket, count] of counts.entries()) {
      this.counts[bucket] = (this.counts[bucket] as number) + count;
    }
    this.sum += sum;
  }
}

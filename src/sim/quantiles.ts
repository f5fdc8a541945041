/** A distribution in five numbers; times are milliseconds. */
export interface Distribution {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
}

/** Values kept exactly before they are folded into buckets: 0.5 MiB a distribution. */
const EXACT_VALUES_MAX = 65_536;
/** Bounds of neighbouring buckets differ by 1 %, so a quantile is off by at most 0.5 %. */
const BUCKET_RATIO = 1.01;
const LOG_RATIO = Math.log(BUCKET_RATIO);
/** Bucket 0 ends here; below it lie values that nobody tells apart: a nanosecond in milliseconds. */
const LEAST_VALUE = 1e-6;
/** Buckets up to 1e12 ms. */
const BUCKET_COUNT = Math.ceil(Math.log(1e18) / LOG_RATIO) + 1;

/** Quantiles of non-negative values in bounded memory: exact for the first 65,536, within 0.5 % beyond. */
export class Quantiles {
  #values = new Float64Array(64);
  #buckets: Float64Array | undefined;
  #count = 0;
  #sum = 0;

  get count(): number {
    return this.#count;
  }

  add(value: number): void {
    if (this.#buckets === undefined && this.#count === EXACT_VALUES_MAX) this.#fold();
    if (this.#buckets === undefined) {
      if (this.#count === this.#values.length) {
        const wider = new Float64Array(2 * this.#values.length);
        wider.set(this.#values);
        this.#values = wider;
      }
      this.#values[this.#count] = value;
    } else {
      (this.#buckets[bucketOf(value)] as number) += 1;
    }
    this.#count++;
    this.#sum += value;
  }

  /** Undefined while empty. A quantile is the smallest value that enough values do not exceed. */
  summary(): Distribution | undefined {
    if (this.#count === 0) return undefined;
    const at = this.#buckets === undefined ? this.#exact() : this.#bucketed(this.#buckets);
    const mean = this.#sum / this.#count;
    return { mean, p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) };
  }

  #exact(): (share: number) => number {
    const sorted = this.#values.slice(0, this.#count).sort();
    return (share) => sorted[rankOf(share, this.#count) - 1] as number;
  }

  #bucketed(buckets: Float64Array): (share: number) => number {
    return (share) => {
      let left = rankOf(share, this.#count);
      let bucket = 0;
      while (bucket < BUCKET_COUNT - 1) {
        left -= buckets[bucket] as number;
        if (left <= 0) break;
        bucket++;
      }
      // The middle of the bucket's bounds, in ratio.
      return bucket === 0 ? 0 : LEAST_VALUE * BUCKET_RATIO ** (bucket - 0.5);
    };
  }

  #fold(): void {
    const buckets = new Float64Array(BUCKET_COUNT);
    for (const value of this.#values.subarray(0, this.#count)) {
      (buckets[bucketOf(value)] as number) += 1;
    }
    this.#buckets = buckets;
    this.#values = new Float64Array(0);
  }
}

function rankOf(share: number, count: number): number {
  return Math.max(1, Math.ceil(share * count));
}

function bucketOf(value: number): number {
  if (value <= LEAST_VALUE) return 0;
  return Math.min(BUCKET_COUNT - 1, Math.ceil(Math.log(value / LEAST_VALUE) / LOG_RATIO));
}

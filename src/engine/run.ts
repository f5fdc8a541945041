/** Steps of an unchanged batch; the time of the k-th is a formula, so that none has to be walked. */
export class Run {
  readonly #startUs: number;
  readonly #firstStepUs: number;
  readonly #growthUs: number;
  #steps: number;

  constructor(startUs: number, firstStepUs: number, growthUs: number, steps: number) {
    this.#startUs = startUs;
    this.#firstStepUs = firstStepUs;
    this.#growthUs = growthUs;
    this.#steps = steps;
  }

  get steps(): number {
    return this.#steps;
  }

  /** End of the run. */
  get endUs(): number {
    return this.timeUs(this.#steps);
  }

  /** When step `k` starts, which is when step `k - 1` ends. */
  timeUs(k: number): number {
    return this.#startUs + k * this.#firstStepUs + (this.#growthUs * k * (k - 1)) / 2;
  }

  /** Steps that start before the time. */
  startedBefore(untilUs: number): number {
    if (this.endUs <= untilUs) return this.#steps;
    let k = this.#guess(untilUs);
    while (k < this.#steps && this.timeUs(k) < untilUs) k++;
    while (k > 0 && this.timeUs(k - 1) >= untilUs) k--;
    return k;
  }

  /** Steps that end by the time. */
  endedBy(untilUs: number): number {
    if (this.endUs <= untilUs) return this.#steps;
    let k = this.#guess(untilUs);
    while (k < this.#steps && this.timeUs(k + 1) <= untilUs) k++;
    while (k > 0 && this.timeUs(k) > untilUs) k--;
    return k;
  }

  /** Ends the run with the step under way at the time: a started step is never interrupted. */
  cut(atUs: number): void {
    this.#steps = this.startedBefore(atUs);
  }

  /** Solves `timeUs(k) = untilUs`; callers correct the rounding. */
  #guess(untilUs: number): number {
    const elapsedUs = Math.max(0, untilUs - this.#startUs);
    const linear = this.#firstStepUs - this.#growthUs / 2;
    const root =
      (2 * elapsedUs) / (linear + Math.sqrt(linear * linear + 2 * this.#growthUs * elapsedUs));
    return Math.min(this.#steps, Math.floor(root));
  }
}

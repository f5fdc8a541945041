/** Label value of everything beyond a cap. */
export const OTHER_LABEL = "other";

/** Lets through the first distinct values up to a bound; later ones become `other`. */
export class LabelCap {
  readonly #known = new Set<string>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  of(value: string): string {
    if (this.#known.has(value)) return value;
    if (this.#known.size >= this.#max) return OTHER_LABEL;
    this.#known.add(value);
    return value;
  }
}

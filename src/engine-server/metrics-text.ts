import type { Histogram } from "./histogram.ts";

/** Label values by name. */
export type Labels = Readonly<Record<string, string>>;

/** Writes families in the Prometheus text format 0.0.4. */
export class MetricsText {
  readonly #labels: Labels;
  #text = "";

  /** `labels` stand on every sample. */
  constructor(labels: Labels) {
    this.#labels = labels;
  }

  gauge(name: string, help: string, value: number): void {
    this.#head(name, help, "gauge");
    this.#sample(name, this.#labels, value);
  }

  /** A gauge that is 1 and says things by its labels, which replace the common ones. */
  info(name: string, help: string, labels: Labels): void {
    this.#head(name, help, "gauge");
    this.#sample(name, labels, 1);
  }

  /** `name` carries its `_total`. */
  counter(name: string, help: string, value: number): void {
    this.#head(name, help, "counter");
    this.#sample(name, this.#labels, value);
  }

  /** One counter for each value of the label. */
  counters(name: string, help: string, label: string, values: ReadonlyMap<string, number>): void {
    this.#head(name, help, "counter");
    for (const [labelValue, value] of values) {
      this.#sample(name, { ...this.#labels, [label]: labelValue }, value);
    }
  }

  histogram(name: string, help: string, histogram: Histogram): void {
    this.#head(name, help, "histogram");
    const counts = histogram.cumulativeCounts();
    counts.forEach((count, bucket) => {
      const bound = histogram.bounds[bucket];
      const le = bound === undefined ? "+Inf" : String(bound);
      this.#sample(`${name}_bucket`, { ...this.#labels, le }, count);
    });
    this.#sample(`${name}_sum`, this.#labels, histogram.sum);
    this.#sample(`${name}_count`, this.#labels, counts.at(-1) ?? 0);
  }

  toString(): string {
    return this.#text;
  }

  #head(name: string, help: string, type: string): void {
    this.#text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  }

  #sample(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escaped(text)}"`);
    this.#text += `${name}{${pairs.join(",")}} ${value}\n`;
  }
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

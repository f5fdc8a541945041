import { collectDefaultMetrics, Registry } from "prom-client";
import { invariant } from "../core/invariant.ts";
import type { MetricLabels } from "../core/meter.ts";
import { METRIC_KEYS, METRIC_TABLE, type MetricKey } from "./metric-table.ts";
import { renderAlias, renderMetric } from "./render-metric.ts";
import { HistogramSeries, NumberSeries } from "./series.ts";

/** One series, as one thread sends it to another. */
type SeriesSnapshot = { readonly key: MetricKey; readonly labels: MetricLabels } & (
  | { readonly value: number }
  | { readonly counts: Float64Array; readonly sum: number }
);

/** The default of 10 ms wakes a router at rest a hundred times a second, a fifth of its CPU time. */
const DELAY_SAMPLED_EVERY_MS = 100;

/** All series of a thread. */
export type MetricSnapshot = readonly SeriesSnapshot[];

/**
 * The table's metrics as live series. prom-client keeps those of the process only: it checks and
 * hashes labels at each of a request's fifteen numbers, 9 % of a small request's CPU time.
 */
export class Instruments {
  readonly #registry = new Registry();
  readonly #numbers = new Map<MetricKey, Family<NumberSeries>>();
  readonly #histograms = new Map<MetricKey, Family<HistogramSeries>>();

  /** Of several threads one has the process's metrics. */
  constructor(options: { readonly hasProcess: boolean }) {
    for (const key of METRIC_KEYS) {
      const { type, labels, buckets = [] } = METRIC_TABLE[key];
      if (type === "histogram") {
        this.#histograms.set(key, new Family(labels, (own) => new HistogramSeries(own, buckets)));
      } else {
        this.#numbers.set(key, new Family(labels, (own) => new NumberSeries(own)));
      }
      // What has no labels is exposed from the start.
      if (labels.length > 0) continue;
      if (type === "histogram") this.histogram(key, {});
      else this.number(key, {});
    }
    // CPU, memory, event-loop delay and garbage collection, under the names that Node programs have.
    if (options.hasProcess) {
      const eventLoopMonitoringPrecision = DELAY_SAMPLED_EVERY_MS;
      collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision });
    }
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Adds to a counter. */
  count(key: MetricKey, labels: MetricLabels, by = 1): void {
    invariant(by >= 0, "a counter never falls");
    this.number(key, labels).value += by;
  }

  /** Adds to a gauge; `by` may be negative. */
  shift(key: MetricKey, labels: MetricLabels, by: number): void {
    this.number(key, labels).value += by;
  }

  set(key: MetricKey, labels: MetricLabels, value: number): void {
    this.number(key, labels).value = value;
  }

  /** Forgets all series of a gauge, so that what is gone is not exported. */
  clear(key: MetricKey): void {
    this.#numbers.get(key)?.clear();
  }

  observe(key: MetricKey, labels: MetricLabels, value: number): void {
    this.histogram(key, labels).observe(value);
  }

  /** A counter's or gauge's series, for who changes it often. */
  number(key: MetricKey, labels: MetricLabels): NumberSeries {
    const family = this.#numbers.get(key);
    invariant(family !== undefined, `${key} is a histogram`);
    return family.of(labels);
  }

  /** A histogram's series, for who observes it often. */
  histogram(key: MetricKey, labels: MetricLabels): HistogramSeries {
    const family = this.#histograms.get(key);
    invariant(family !== undefined, `${key} is no histogram`);
    return family.of(labels);
  }

  /** For another thread to add up. */
  snapshot(): MetricSnapshot {
    return METRIC_KEYS.flatMap((key) =>
      Array.from(this.#series(key), (series): SeriesSnapshot => {
        const { labels } = series;
        return series instanceof HistogramSeries
          ? { key, labels, counts: series.counts, sum: series.sum }
          : { key, labels, value: series.value };
      }),
    );
  }

  /** Everything as Prometheus text, deprecated names included; series of other threads are added. */
  async expose(others: readonly MetricSnapshot[] = []): Promise<string> {
    const whole = others.length === 0 ? this : summed([this.snapshot(), ...others]);
    const parts = METRIC_KEYS.map((key) => renderMetric(METRIC_TABLE[key], whole.#series(key)));
    parts.push(await this.#registry.metrics());
    for (const key of METRIC_KEYS) {
      for (const alias of METRIC_TABLE[key].aliases ?? []) {
        parts.push(renderAlias(METRIC_TABLE[key], alias, whole.#series(key)));
      }
    }
    return parts.join("\n");
  }

  #series(key: MetricKey): Iterable<NumberSeries | HistogramSeries> {
    return (this.#numbers.get(key) ?? this.#histograms.get(key))?.all() ?? [];
  }
}

/** The series of one metric. */
class Family<T> {
  readonly #names: readonly string[];
  readonly #make: (labels: MetricLabels) => T;
  readonly #byId = new Map<string, T>();
  /** Who counts often has one object of labels, for which no id is put together again. */
  #lastLabels: MetricLabels | undefined;
  #last: T | undefined;

  constructor(names: readonly string[], make: (labels: MetricLabels) => T) {
    this.#names = names;
    this.#make = make;
  }

  of(labels: MetricLabels): T {
    if (labels === this.#lastLabels && this.#last !== undefined) return this.#last;
    const id = seriesId(labels, this.#names);
    const series = this.#byId.get(id) ?? this.#make(labels);
    this.#byId.set(id, series);
    this.#lastLabels = labels;
    this.#last = series;
    return series;
  }

  all(): Iterable<T> {
    return this.#byId.values();
  }

  clear(): void {
    this.#byId.clear();
    this.#lastLabels = undefined;
  }
}

/** What threads that have ended counted: gauges of them are no more. */
export function endedSnapshot(ended: readonly MetricSnapshot[]): MetricSnapshot {
  const series = summed(ended).snapshot();
  return series.filter(({ key }) => METRIC_TABLE[key].type !== "gauge");
}

function summed(snapshots: readonly MetricSnapshot[]): Instruments {
  const sum = new Instruments({ hasProcess: false });
  for (const series of snapshots.flat()) {
    const { key, labels } = series;
    if ("value" in series) sum.number(key, labels).value += series.value;
    else sum.histogram(key, labels).add(series.counts, series.sum);
  }
  return sum;
}

/** Only the metric's own labels tell series apart; an absent one is empty. */
function seriesId(labels: MetricLabels, names: readonly string[]): string {
  let id = "";
  // No name of a model, plugin or endpoint holds a line end.
  for (const name of names) id += `${labels[name] ?? ""}\n`;
  return id;
}

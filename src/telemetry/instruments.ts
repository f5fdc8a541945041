import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { invariant } from "../core/invariant.ts";
import type { MetricLabels } from "../core/meter.ts";
import type { MetricSpec } from "./metric-spec.ts";
import { METRIC_KEYS, METRIC_TABLE, type MetricKey } from "./metric-table.ts";
import { type AliasSource, renderAlias } from "./render-alias.ts";

/** The table's metrics as live objects in a registry of their own. */
export class Instruments {
  readonly #registry = new Registry();
  readonly #counters = new Map<MetricKey, Counter>();
  readonly #gauges = new Map<MetricKey, Gauge>();
  readonly #histograms = new Map<MetricKey, Histogram>();

  constructor() {
    for (const key of METRIC_KEYS) this.#register(key, METRIC_TABLE[key]);
    // CPU, memory, event-loop delay and garbage collection, under the names that Node programs have.
    collectDefaultMetrics({ register: this.#registry });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Adds to a counter. */
  count(key: MetricKey, labels: MetricLabels, by = 1): void {
    this.#find(this.#counters, key).inc(labels, by);
  }

  /** Adds to a gauge; `by` may be negative. */
  shift(key: MetricKey, labels: MetricLabels, by: number): void {
    this.#find(this.#gauges, key).inc(labels, by);
  }

  set(key: MetricKey, labels: MetricLabels, value: number): void {
    this.#find(this.#gauges, key).set(labels, value);
  }

  /** Forgets all series of a gauge, so that what is gone is not exported. */
  clear(key: MetricKey): void {
    this.#find(this.#gauges, key).reset();
  }

  observe(key: MetricKey, labels: MetricLabels, value: number): void {
    this.#find(this.#histograms, key).observe(labels, value);
  }

  /** Everything as Prometheus text, deprecated names included. */
  async expose(): Promise<string> {
    const parts = [await this.#registry.metrics()];
    for (const key of METRIC_KEYS) {
      const { aliases = [] } = METRIC_TABLE[key];
      if (aliases.length === 0) continue;
      const source = await this.#source(key);
      for (const alias of aliases) parts.push(renderAlias(METRIC_TABLE[key], alias, source));
    }
    return parts.join("\n");
  }

  async #source(key: MetricKey): Promise<AliasSource> {
    const metric =
      this.#counters.get(key) ?? this.#gauges.get(key) ?? this.#find(this.#histograms, key);
    return await metric.get();
  }

  #register(key: MetricKey, spec: MetricSpec): void {
    const { name, help } = spec;
    const facts = { name, help, labelNames: [...spec.labels], registers: [this.#registry] };
    switch (spec.type) {
      case "counter":
        this.#counters.set(key, new Counter(facts));
        break;
      case "gauge":
        this.#gauges.set(key, new Gauge(facts));
        break;
      case "histogram":
        this.#histograms.set(key, new Histogram({ ...facts, buckets: [...(spec.buckets ?? [])] }));
        break;
    }
  }

  #find<T>(metrics: ReadonlyMap<MetricKey, T>, key: MetricKey): T {
    const metric = metrics.get(key);
    invariant(metric !== undefined, `${key} is a ${METRIC_TABLE[key].type}`);
    return metric;
  }
}

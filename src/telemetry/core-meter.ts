import type { CounterName, HistogramName, Meter, MetricLabels } from "../core/meter.ts";
import type { Instruments } from "./instruments.ts";
import { METRIC_TABLE, type MetricKey } from "./metric-table.ts";

const COUNTER_METRICS: Readonly<Record<Exclude<CounterName, "decisions">, MetricKey>> = {
  "plugin-failures": "pluginFailures",
  "endpoint-changes": "endpointChanges",
  "config-reloads": "configReloads",
  "endpoints-reloads": "endpointsReloads",
  "discovery-faults": "discoveryFaults",
  "exchanges-expired": "expiredExchanges",
  "scrape-failures": "pollErrors",
  "metrics-missing": "extractErrors",
  "kv-messages": "kvMessages",
  "kv-gaps": "kvGaps",
  "kv-resyncs": "kvResyncs",
  "kv-faults": "kvFaults",
  "kv-reconnections": "kvReconnections",
  "kv-errors": "kvErrors",
};

/** Gives what the deterministic zone counts its exported names; times become seconds. */
export class CoreMeter implements Meter {
  readonly #instruments: Instruments;

  constructor(instruments: Instruments) {
    this.#instruments = instruments;
  }

  count(name: CounterName, labels: MetricLabels, by = 1): void {
    if (name === "decisions") this.#decided(labels, by);
    else this.#count(COUNTER_METRICS[name], labels, by);
  }

  observe(name: HistogramName, labels: MetricLabels, value: number): void {
    switch (name) {
      case "decision-ms":
        this.#observe("schedulerSeconds", labels, value / 1000);
        break;
      case "plugin-ms":
        this.#observe("pluginSeconds", labels, value / 1000);
        break;
      case "prefix-hit-ratio":
        this.#observe("prefixHitRatio", labels, value);
        break;
      case "prefix-hit-bytes":
        this.#observe("prefixHitBytes", labels, value);
        break;
    }
  }

  #decided(labels: MetricLabels, by: number): void {
    const { endpoint = "", stages, model = "", status = "" } = labels;
    const attempt = { status, target_model_name: model, endpoint_name: endpoint };
    this.#count("schedulerAttempts", attempt, by);
    if (stages === undefined) return;
    const decided = { model_name: model, decision_type: stages };
    this.#count("disaggDecisions", decided, by);
    this.#count("pdDecisions", decided, by);
  }

  #count(key: MetricKey, labels: MetricLabels, by: number): void {
    this.#instruments.count(key, pick(labels, METRIC_TABLE[key].labels), by);
  }

  #observe(key: MetricKey, labels: MetricLabels, value: number): void {
    this.#instruments.observe(key, pick(labels, METRIC_TABLE[key].labels), value);
  }
}

/** Just the metric's own labels: prom-client refuses others, and an absent one is empty. */
function pick(labels: MetricLabels, names: readonly string[]): MetricLabels {
  return Object.fromEntries(names.map((name) => [name, labels[name] ?? ""]));
}

import type { CounterName, HistogramName, Meter, MetricLabels } from "../core/meter.ts";
import type { Instruments } from "./instruments.ts";
import type { MetricKey } from "./metric-table.ts";

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
    else this.#instruments.count(COUNTER_METRICS[name], labels, by);
  }

  observe(name: HistogramName, labels: MetricLabels, value: number): void {
    switch (name) {
      case "decision-ms":
        this.#instruments.observe("schedulerSeconds", labels, value / 1000);
        break;
      case "plugin-ms":
        this.#instruments.observe("pluginSeconds", labels, value / 1000);
        break;
      case "prefix-hit-ratio":
        this.#instruments.observe("prefixHitRatio", labels, value);
        break;
      case "prefix-hit-bytes":
        this.#instruments.observe("prefixHitBytes", labels, value);
        break;
    }
  }

  #decided(labels: MetricLabels, by: number): void {
    const { endpoint = "", stages, model = "", status = "" } = labels;
    const attempt = { status, target_model_name: model, endpoint_name: endpoint };
    this.#instruments.count("schedulerAttempts", attempt, by);
    if (stages === undefined) return;
    const decided = { model_name: model, decision_type: stages };
    this.#instruments.count("disaggDecisions", decided, by);
    this.#instruments.count("pdDecisions", decided, by);
  }
}

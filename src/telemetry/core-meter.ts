import type { CounterName, HistogramName, Meter, MetricLabels } from "../core/meter.ts";
import type { Instruments } from "./instruments.ts";
import type { MetricKey } from "./metric-table.ts";
import type { NumberSeries } from "./series.ts";

const COUNTER_METRICS: Readonly<Record<Exclude<CounterName, "decisions">, MetricKey>> = {
  "plugin-failures": "pluginFailures",
  "endpoint-changes": "endpointChanges",
  "config-reloads": "configReloads",
  "endpoints-reloads": "endpointsReloads",
  "discovery-faults": "discoveryFaults",
  "lock-resets": "lockResets",
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
  /** As many as there are series of attempts, found by one key instead of three for each decision. */
  readonly #decisionCounters = new Map<string, NumberSeries[]>();

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
    const id = `${status}\n${model}\n${endpoint}\n${stages}`;
    let counters = this.#decisionCounters.get(id);
    if (counters === undefined) {
      const attempt = { status, target_model_name: model, endpoint_name: endpoint };
      counters = [this.#instruments.number("schedulerAttempts", attempt)];
      if (stages !== undefined) {
        const decided = { model_name: model, decision_type: stages };
        counters.push(this.#instruments.number("disaggDecisions", decided));
        counters.push(this.#instruments.number("pdDecisions", decided));
      }
      this.#decisionCounters.set(id, counters);
    }
    for (const counter of counters) counter.value += by;
  }
}

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

interface DecisionCounters {
  readonly status: string;
  readonly model: string;
  readonly stages: string | undefined;
  readonly series: readonly NumberSeries[];
}

/** Gives what the deterministic zone counts its exported names; times become seconds. */
export class CoreMeter implements Meter {
  readonly #instruments: Instruments;
  /** By endpoint, as many as there are series of attempts; no key is put together for a decision. */
  readonly #decisionCounters = new Map<string, DecisionCounters[]>();

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
    const known = this.#decisionCounters.get(endpoint) ?? [];
    let counters = known.find(
      (of) => of.model === model && of.stages === stages && of.status === status,
    );
    if (counters === undefined) {
      const attempt = { status, target_model_name: model, endpoint_name: endpoint };
      const series = [this.#instruments.number("schedulerAttempts", attempt)];
      if (stages !== undefined) {
        const decided = { model_name: model, decision_type: stages };
        series.push(this.#instruments.number("disaggDecisions", decided));
        series.push(this.#instruments.number("pdDecisions", decided));
      }
      counters = { status, model, stages, series };
      known.push(counters);
      this.#decisionCounters.set(endpoint, known);
    }
    for (const counter of counters.series) counter.value += by;
  }
}

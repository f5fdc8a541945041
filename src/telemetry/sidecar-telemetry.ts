import { Counter, Histogram, Registry } from "prom-client";
import type { PdOutcome } from "../core/exchange-report.ts";
import type { CounterName, Meter } from "../core/meter.ts";
import { METRIC_TABLE, type MetricKey } from "./metric-table.ts";

// llm-d's sidecar's, without those above its prefill limit.
const PREFILL_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** Counts what a sidecar does; its members are what the sidecar tells of its requests. */
export class SidecarTelemetry {
  readonly #registry = new Registry();
  readonly #requests: Counter;
  readonly #fallbacks: Counter;
  readonly #failures: Counter;
  readonly #prefillSeconds: Histogram;
  /** Counts what happens to the lists of allowed targets, as the router counts it for its endpoints. */
  readonly meter: Meter;

  constructor() {
    const registers = [this.#registry];
    this.#requests = new Counter({
      name: "switchyard_pd_requests_total",
      help: "Requests by what became of them.",
      labelNames: ["outcome"],
      registers,
    });
    this.#fallbacks = new Counter({
      name: "switchyard_pd_fallback_total",
      help: "Splits that fell back to decode.",
      labelNames: ["reason"],
      registers,
    });
    this.#failures = new Counter({
      name: "switchyard_pd_prefill_failures_total",
      help: "Attempts at a prefill endpoint that failed.",
      labelNames: ["reason"],
      registers,
    });
    this.#prefillSeconds = new Histogram({
      name: "switchyard_pd_prefill_seconds",
      help: "Time of a prefill leg that succeeded.",
      buckets: PREFILL_SECONDS,
      registers,
    });
    const counterOf = (key: MetricKey): Counter => {
      const { name, help, labels } = METRIC_TABLE[key];
      return new Counter({ name, help, labelNames: [...labels], registers });
    };
    const counters: Partial<Record<CounterName, Counter>> = {
      "discovery-faults": counterOf("discoveryFaults"),
      "endpoints-reloads": counterOf("endpointsReloads"),
    };
    this.meter = {
      count: (name, labels, by = 1) => counters[name]?.inc(labels, by),
      observe: () => undefined,
    };
  }

  passedOn(): void {
    this.#requests.inc({ outcome: "whole" });
  }

  splitEnded(outcome: PdOutcome | undefined): void {
    this.#requests.inc({ outcome: outcome?.outcome ?? "none" });
    if (outcome?.outcome === "fallback") this.#fallbacks.inc({ reason: outcome.reason ?? "" });
    if (typeof outcome?.prefillMs === "number") {
      this.#prefillSeconds.observe(outcome.prefillMs / 1000);
    }
  }

  prefillFailed(reason: string): void {
    this.#failures.inc({ reason });
  }

  denied(): void {
    this.#requests.inc({ outcome: "denied" });
  }

  /** Everything in Prometheus' text format. */
  async expose(): Promise<{ readonly contentType: string; readonly text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}

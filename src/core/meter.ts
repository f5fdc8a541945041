/** Label values by label name. Values come from the configuration or a closed list, never from a client unchecked. */
export type MetricLabels = Readonly<Record<string, string>>;

/** Names of the numbers that the deterministic zone and the datalayer count; `telemetry/` gives each its exported name. */
export const COUNTERS = [
  "decisions",
  "plugin-failures",
  "endpoint-changes",
  "exchanges-expired",
  "config-reloads",
  "scrape-failures",
  "metrics-missing",
  "kv-messages",
  "kv-gaps",
  "kv-resyncs",
  "kv-faults",
  "kv-reconnections",
  "kv-errors",
  "endpoints-reloads",
  "discovery-faults",
  "lock-resets",
] as const;
export type CounterName = (typeof COUNTERS)[number];

/** Names of the distributions that the deterministic zone observes. */
export const HISTOGRAMS = [
  "decision-ms",
  "plugin-ms",
  "prefix-hit-ratio",
  "prefix-hit-bytes",
] as const;
export type HistogramName = (typeof HISTOGRAMS)[number];

/** Port for counting; telemetry implements it, tests pass `noMeter`. */
export interface Meter {
  count(name: CounterName, labels: MetricLabels, by?: number): void;
  observe(name: HistogramName, labels: MetricLabels, value: number): void;
}

/** Counts nothing. */
export const noMeter: Meter = { count: () => undefined, observe: () => undefined };

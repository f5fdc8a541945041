import type { LoraState } from "../endpoints/endpoint-table.ts";
import {
  kvBlockCount,
  kvBlockTokens,
  kvCacheUsage,
  type NumericAttribute,
  runningRequests,
  waitingQueueDepth,
} from "../endpoints/numeric-attribute.ts";
import { latestSeries, readSeries, type Series } from "./prometheus-text.ts";

/** Where an engine exposes a column: the first of the names that gives a usable value counts. */
interface EngineSignal {
  readonly attribute: NumericAttribute;
  readonly names: readonly string[];
  /** Label that holds the value; the series' own value without one. */
  readonly label?: string;
  readonly max?: number;
}

/** vLLM /metrics. `gpu_cache_usage_perc` is the name before v1; both are ratios 0..1 in spite of theirs. */
const VLLM_SIGNALS: readonly EngineSignal[] = [
  { attribute: waitingQueueDepth, names: ["vllm:num_requests_waiting"] },
  { attribute: runningRequests, names: ["vllm:num_requests_running"] },
  {
    attribute: kvCacheUsage,
    names: ["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"],
    max: 1,
  },
  { attribute: kvBlockTokens, names: ["vllm:cache_config_info"], label: "block_size" },
  { attribute: kvBlockCount, names: ["vllm:cache_config_info"], label: "num_gpu_blocks" },
];

/** LoRA adapters, as labels of a gauge whose value is the time of the engine's last step with any. */
const VLLM_LORA = "vllm:lora_requests_info";

/** What one exposition says; what it does not say, or says as NaN, is absent. */
export interface EngineReading {
  readonly values: ReadonlyMap<NumericAttribute, number>;
  readonly lora: LoraState | undefined;
}

/** Turns an engine's exposition into columns. */
export type EngineReader = (exposition: Buffer) => EngineReading;

/** What of an engine's exposition some plugin consumes. */
export interface ConsumedMetrics {
  readonly columns: Iterable<NumericAttribute>;
  readonly lora: boolean;
}

/** Reads just what is consumed out of vLLM's exposition. */
export function vllmReader(consumed: ConsumedMetrics): EngineReader {
  const wanted = new Set(consumed.columns);
  const signals = VLLM_SIGNALS.filter(({ attribute }) => wanted.has(attribute));
  return (exposition) => {
    const values = new Map<NumericAttribute, number>();
    for (const signal of signals) {
      const value = read(exposition, signal);
      if (value !== undefined) values.set(signal.attribute, value);
    }
    return { values, lora: consumed.lora ? readLora(exposition) : undefined };
  };
}

/** vLLM leaves the series of earlier adapter sets standing: the one with the largest value is the last. */
function readLora(exposition: Buffer): LoraState | undefined {
  const last = readSeries(exposition, VLLM_LORA).reduce<Series | undefined>(
    (latest, next) => (latest === undefined || next.value >= latest.value ? next : latest),
    undefined,
  );
  const adaptersMax = numberOf(last?.labels["max_lora"] ?? "");
  if (last === undefined || Number.isNaN(adaptersMax)) return undefined;
  return {
    adaptersMax,
    running: namesOf(last.labels["running_lora_adapters"]),
    waiting: namesOf(last.labels["waiting_lora_adapters"]),
  };
}

function namesOf(csv = ""): ReadonlySet<string> {
  return new Set(
    csv
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== ""),
  );
}

function read(exposition: Buffer, signal: EngineSignal): number | undefined {
  for (const name of signal.names) {
    const series = latestSeries(readSeries(exposition, name));
    if (series === undefined) continue;
    const labelText = signal.label === undefined ? undefined : (series.labels[signal.label] ?? "");
    const value = labelText === undefined ? series.value : numberOf(labelText);
    if (Number.isFinite(value) && value >= 0) return Math.min(value, signal.max ?? value);
  }
  return undefined;
}

/** vLLM writes a setting that is not known yet as `None`. */
function numberOf(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : Number.NaN;
}

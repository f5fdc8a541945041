import {
  kvBlockCount,
  kvBlockTokens,
  kvCacheUsage,
  type NumericAttribute,
  runningRequests,
  waitingQueueDepth,
} from "../endpoints/numeric-attribute.ts";
import { latestSeries, readSeries } from "./prometheus-text.ts";

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

/** Turns an engine's exposition into columns; what it does not say, or says as NaN, is absent. */
export type EngineReader = (text: string) => ReadonlyMap<NumericAttribute, number>;

/** Reads vLLM's exposition for just the columns that some plugin consumes. */
export function vllmReader(consumes: Iterable<NumericAttribute>): EngineReader {
  const wanted = new Set(consumes);
  const signals = VLLM_SIGNALS.filter(({ attribute }) => wanted.has(attribute));
  return (text) => {
    const values = new Map<NumericAttribute, number>();
    for (const signal of signals) {
      const value = read(text, signal);
      if (value !== undefined) values.set(signal.attribute, value);
    }
    return values;
  };
}

function read(text: string, signal: EngineSignal): number | undefined {
  for (const name of signal.names) {
    const series = latestSeries(readSeries(text, name));
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

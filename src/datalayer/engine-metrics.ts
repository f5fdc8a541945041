import type { Labels, LoraState } from "../endpoints/endpoint-table.ts";
import {
  kvBlockCount,
  kvBlockTokens,
  kvCacheUsage,
  type NumericAttribute,
  runningRequests,
  waitingQueueDepth,
} from "../endpoints/numeric-attribute.ts";
import { latestSeries, readSeries, type Series } from "./prometheus-text.ts";

/** Label of an endpoint that names its engine's type (llm-d), and the one before it. */
const TYPE_LABELS = ["llm-d.ai/engine-type", "inference.networking.k8s.io/engine-type"] as const;

/** One place of an exposition that may hold a value. */
interface Source {
  readonly name: string;
  /** Labels that the series must have. */
  readonly where?: Readonly<Record<string, string>>;
  /** Label that holds the value; the series' own value without one. */
  readonly label?: string;
}

/** Where an engine exposes a column: the first of the sources that gives a usable value counts. */
interface EngineSignal {
  readonly attribute: NumericAttribute;
  readonly sources: readonly Source[];
  readonly max?: number;
}

/** What a type of engine exposes. */
interface EngineExposition {
  readonly signals: readonly EngineSignal[];
  /** LoRA adapters, as labels of a gauge whose value is the time of the engine's last step with any. */
  readonly lora?: string;
}

function signal(attribute: NumericAttribute, ...sources: readonly Source[]): EngineSignal {
  return { attribute, sources };
}

function ratio(attribute: NumericAttribute, ...sources: readonly Source[]): EngineSignal {
  return { attribute, sources, max: 1 };
}

const triton = (name: string, label: string, value: string): Source => ({
  name: `nv_trt_llm_${name}_metrics`,
  where: { [label]: value },
});

/** Types of engines whose exposition is known, as llm-d names them. */
export const ENGINE_TYPES = [
  "vllm",
  "sglang",
  "trtllm-serve",
  "triton-tensorrt-llm",
  "triton",
] as const;
export type EngineType = (typeof ENGINE_TYPES)[number];

/** Figures of usage are ratios 0..1 in spite of some names. */
const EXPOSITIONS: Readonly<Record<EngineType, EngineExposition>> = {
  // `gpu_cache_usage_perc` is the name before v1.
  vllm: {
    signals: [
      signal(waitingQueueDepth, { name: "vllm:num_requests_waiting" }),
      signal(runningRequests, { name: "vllm:num_requests_running" }),
      ratio(
        kvCacheUsage,
        { name: "vllm:kv_cache_usage_perc" },
        { name: "vllm:gpu_cache_usage_perc" },
      ),
      signal(kvBlockTokens, { name: "vllm:cache_config_info", label: "block_size" }),
      signal(kvBlockCount, { name: "vllm:cache_config_info", label: "num_gpu_blocks" }),
    ],
    lora: "vllm:lora_requests_info",
  },
  // The cache's size is in gauges of its own since 0.5.11, in labels before.
  sglang: {
    signals: [
      signal(waitingQueueDepth, { name: "sglang:num_queue_reqs" }),
      signal(runningRequests, { name: "sglang:num_running_reqs" }),
      ratio(kvCacheUsage, { name: "sglang:token_usage" }),
      signal(
        kvBlockTokens,
        { name: "sglang:page_size" },
        { name: "sglang:cache_config_info", label: "page_size" },
      ),
      signal(
        kvBlockCount,
        { name: "sglang:num_pages" },
        { name: "sglang:cache_config_info", label: "num_pages" },
      ),
    ],
  },
  "trtllm-serve": {
    signals: [
      signal(waitingQueueDepth, { name: "trtllm_num_requests_waiting" }),
      signal(runningRequests, { name: "trtllm_num_requests_running" }),
      ratio(kvCacheUsage, { name: "trtllm_kv_cache_utilization" }),
      signal(kvBlockTokens, { name: "trtllm_kv_cache_tokens_per_block" }),
      signal(kvBlockCount, { name: "trtllm_kv_cache_max_blocks" }),
    ],
  },
  "triton-tensorrt-llm": {
    signals: [
      signal(waitingQueueDepth, triton("request", "request_type", "waiting")),
      signal(runningRequests, triton("request", "request_type", "scheduled")),
      ratio(kvCacheUsage, triton("kv_cache_block", "kv_cache_block_type", "fraction")),
      signal(kvBlockTokens, triton("kv_cache_block", "kv_cache_block_type", "tokens_per")),
      signal(kvBlockCount, triton("kv_cache_block", "kv_cache_block_type", "max")),
    ],
  },
  triton: {
    signals: [
      signal(waitingQueueDepth, { name: "nv_inference_pending_request_count" }),
      signal(runningRequests, { name: "nv_inference_exec_count" }),
    ],
  },
};

/** Type of an endpoint's engine; vLLM where its labels name none that is known. */
export function engineTypeOf(labels: Labels): EngineType {
  const named = TYPE_LABELS.map((label) => labels[label]).find((name) => name !== undefined);
  return ENGINE_TYPES.find((type) => type === named) ?? "vllm";
}

/** What one exposition says; what it does not say, or says as NaN, is absent. */
export interface EngineReading {
  readonly values: ReadonlyMap<NumericAttribute, number>;
  /** Names of consumed columns of which it says nothing usable. */
  readonly missing: readonly string[];
  readonly lora: LoraState | undefined;
}

/** Turns an engine's exposition into columns. */
export type EngineReader = (exposition: Buffer) => EngineReading;

/** What of an engine's exposition some plugin consumes. */
export interface ConsumedMetrics {
  readonly columns: Iterable<NumericAttribute>;
  readonly lora: boolean;
}

/** Reads just what is consumed out of the exposition of a type of engine. */
export function engineReader(type: EngineType, consumed: ConsumedMetrics): EngineReader {
  const wanted = new Set(consumed.columns);
  const { signals: known, lora } = EXPOSITIONS[type];
  const signals = known.filter(({ attribute }) => wanted.has(attribute));
  return (exposition) => {
    const values = new Map<NumericAttribute, number>();
    const missing: string[] = [];
    for (const { attribute, sources, max } of signals) {
      const value = read(exposition, sources);
      if (value === undefined) missing.push(attribute.name);
      else values.set(attribute, Math.min(value, max ?? value));
    }
    const isLoraRead = consumed.lora && lora !== undefined;
    return { values, missing, lora: isLoraRead ? readLora(exposition, lora) : undefined };
  };
}

/** vLLM leaves the series of earlier adapter sets standing: the one with the largest value is the last. */
function readLora(exposition: Buffer, name: string): LoraState | undefined {
  const last = readSeries(exposition, name).reduce<Series | undefined>(
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

function read(exposition: Buffer, sources: readonly Source[]): number | undefined {
  for (const { name, where, label } of sources) {
    const series = latestSeries(readSeries(exposition, name), where);
    if (series === undefined) continue;
    const value = label === undefined ? series.value : numberOf(series.labels[label] ?? "");
    if (Number.isFinite(value) && value >= 0) return value;
  }
  return undefined;
}

/** vLLM writes a setting that is not known yet as `None`. */
function numberOf(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : Number.NaN;
}

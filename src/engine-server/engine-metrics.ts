import type { EngineConfig } from "../engine/engine-config.ts";
import type { EngineFinish, EngineGauges } from "../engine/engine-core.ts";
import { buckets125, Histogram } from "./histogram.ts";
import { MetricsText } from "./metrics-text.ts";

/** `finished_reason` of vLLM's `request_success`. */
const FINISHED_REASONS = ["stop", "length", "abort", "error"] as const;
export type FinishedReason = (typeof FINISHED_REASONS)[number];

// Bounds of vLLM v1/metrics/loggers.py, in seconds.
const TTFT_BOUNDS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
  160, 640, 2560,
];
const TOKEN_LATENCY_BOUNDS = [
  0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
];
const REQUEST_LATENCY_BOUNDS = [
  0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
];
// Bounds of vLLM's NixlPromMetrics: seconds, and powers of four from 2 KiB to 8 GiB.
const TRANSFER_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 5];
const BYTES_BOUNDS = Array.from({ length: 12 }, (_, step) => 2 ** (11 + 2 * step));

/** What vLLM's `/metrics` counts besides the core's gauges. Times are engine seconds. */
export class EngineMetrics {
  readonly #config: EngineConfig;
  readonly #modelName: string;
  readonly #isKvConnectorEnabled: boolean;
  readonly #ttft = new Histogram(TTFT_BOUNDS);
  readonly #itl = new Histogram(TOKEN_LATENCY_BOUNDS);
  readonly #e2e = new Histogram(REQUEST_LATENCY_BOUNDS);
  readonly #queued = new Histogram(REQUEST_LATENCY_BOUNDS);
  readonly #transfer = new Histogram(TRANSFER_BOUNDS);
  readonly #transferBytes = new Histogram(BYTES_BOUNDS);
  readonly #requestPromptTokens: Histogram;
  readonly #requestGenerationTokens: Histogram;
  readonly #finished = new Map<string, number>(FINISHED_REASONS.map((reason) => [reason, 0]));
  #promptTokens = 0;
  #generationTokens = 0;
  #failedTransfers = 0;

  constructor(options: {
    config: EngineConfig;
    modelName: string;
    isKvConnectorEnabled: boolean;
  }) {
    this.#config = options.config;
    this.#modelName = options.modelName;
    this.#isKvConnectorEnabled = options.isKvConnectorEnabled;
    const bounds = buckets125(options.config.maxModelLen);
    this.#requestPromptTokens = new Histogram(bounds);
    this.#requestGenerationTokens = new Histogram(bounds);
  }

  /** A sequence's first token. */
  firstToken(promptTokens: number, ttftUs: number): void {
    this.#promptTokens += promptTokens;
    this.#generationTokens += 1;
    this.#ttft.observe(ttftUs / 1e6);
  }

  /** A later token, `gapUs` after the one before. */
  nextToken(gapUs: number): void {
    this.#generationTokens += 1;
    this.#itl.observe(gapUs / 1e6);
  }

  finished(
    finish: EngineFinish,
    facts: { reason: FinishedReason; promptTokens: number; arrivedUs: number },
  ): void {
    this.#finished.set(facts.reason, (this.#finished.get(facts.reason) ?? 0) + 1);
    if (finish.end !== "done") return;
    this.#e2e.observe((finish.atUs - facts.arrivedUs) / 1e6);
    this.#queued.observe(finish.queuedUs / 1e6);
    this.#requestPromptTokens.observe(facts.promptTokens);
    this.#requestGenerationTokens.observe(finish.generatedTokens);
  }

  transferred(bytes: number, durationUs: number): void {
    this.#transfer.observe(durationUs / 1e6);
    this.#transferBytes.observe(bytes);
  }

  transferFailed(): void {
    this.#failedTransfers += 1;
  }

  /** The exposition under vLLM's names, with the core's state of this moment. */
  text(gauges: EngineGauges): string {
    const text = new MetricsText({ model_name: this.#modelName, engine: "0" });
    this.#writeGauges(text, gauges);
    this.#writeRequests(text);
    if (this.#isKvConnectorEnabled) this.#writeTransfers(text);
    return text.toString();
  }

  #writeGauges(text: MetricsText, gauges: EngineGauges): void {
    const { runningRequests, waitingRequests, kvCacheUsage } = gauges;
    text.gauge("vllm:num_requests_running", "Number of requests in the batch.", runningRequests);
    text.gauge("vllm:num_requests_waiting", "Number of requests waiting.", waitingRequests);
    text.gauge("vllm:kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent.", kvCacheUsage);
    text.info("vllm:cache_config_info", "Information of the LLMEngine CacheConfig", {
      block_size: String(gauges.blockTokens),
      num_gpu_blocks: String(gauges.blockCount),
      enable_prefix_caching: this.#config.isPrefixCachingEnabled ? "True" : "False",
      gpu_memory_utilization: String(this.#config.gpuMemoryUtilization),
      kv_cache_size_tokens: String(gauges.blockCount * gauges.blockTokens),
      engine: "0",
    });
    const queries = "vllm:prefix_cache_queries_total";
    text.counter(queries, "Prefix cache queries, in tokens.", gauges.prefixCacheQueries);
    const hits = "vllm:prefix_cache_hits_total";
    text.counter(hits, "Prefix cache hits, in tokens.", gauges.prefixCacheHits);
    text.counter("vllm:num_preemptions_total", "Preemptions by the engine.", gauges.preemptions);
  }

  #writeRequests(text: MetricsText): void {
    text.counter("vllm:prompt_tokens_total", "Prefill tokens processed.", this.#promptTokens);
    const generated = "vllm:generation_tokens_total";
    text.counter(generated, "Generation tokens processed.", this.#generationTokens);
    const success = "vllm:request_success_total";
    text.counters(success, "Requests that ended.", "finished_reason", this.#finished);
    for (const [name, help, histogram] of [
      ["time_to_first_token_seconds", "Time to first token in seconds.", this.#ttft],
      ["inter_token_latency_seconds", "Inter-token latency in seconds.", this.#itl],
      ["e2e_request_latency_seconds", "E2E request latency in seconds.", this.#e2e],
      ["request_queue_time_seconds", "Time in the WAITING phase.", this.#queued],
      ["request_prompt_tokens", "Prefill tokens by request.", this.#requestPromptTokens],
      ["request_generation_tokens", "Generated tokens by request.", this.#requestGenerationTokens],
    ] as const) {
      text.histogram(`vllm:${name}`, help, histogram);
    }
  }

  #writeTransfers(text: MetricsText): void {
    text.histogram("vllm:nixl_xfer_time_seconds", "Time of NIXL transfers.", this.#transfer);
    const bytes = "vllm:nixl_bytes_transferred";
    text.histogram(bytes, "Bytes moved by each NIXL transfer.", this.#transferBytes);
    const failed = "vllm:nixl_num_failed_transfers_total";
    text.counter(failed, "NIXL transfers that failed.", this.#failedTransfers);
  }
}

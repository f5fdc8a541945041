/** Kinds of metrics, as Prometheus names them. */
export type MetricType = "counter" | "gauge" | "histogram";

/** One exported metric. */
export interface MetricSpec {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds; histograms have them, others do not. */
  readonly buckets?: readonly number[];
  /** Older name under which llm-d exports the same values. */
  readonly alias?: MetricAlias;
}

/** A deprecated second name; values that differ only in dropped labels are summed. */
export interface MetricAlias {
  readonly name: string;
  readonly labels: readonly string[];
  /** Labels of the metric that the alias spells differently, as alias label to metric label. */
  readonly renamed?: Readonly<Record<string, string>>;
}

// Bucket sets of the llm-d endpoint picker, whose dashboards and alerts rely on them.
const LATENCY_SECONDS = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45,
  60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600,
] as const;
const TTFT_SECONDS = LATENCY_SECONDS.filter((bound) => bound <= 120);
const SCHEDULING_SECONDS = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];
const REQUEST_BYTES = Array.from({ length: 25 }, (_, power) => 64 * 2 ** power);
const RESPONSE_BYTES = [
  1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32778, 65536,
];
const TOKENS = [...RESPONSE_BYTES, 131072, 262144, 524288, 1048576];
const OUTPUT_TOKENS = RESPONSE_BYTES.filter((bound) => bound <= 8192);
const NTPOT_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
const TPOT_SECONDS = [
  0.0005, 0.00205, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.125, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6,
  0.8, 1, 2,
];
const ITL_SECONDS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2,
];
const RATIOS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];
const HIT_BYTES = [0, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];

const REQUEST = ["model_name", "target_model_name", "fairness_id", "priority"] as const;
const MODELS = ["model_name", "target_model_name"] as const;
const PLUGIN = ["plugin_name", "plugin_type"] as const;
const PLUGIN_CALL = ["extension_point", "plugin_type", "plugin_name"] as const;

/** Keys of the table, in the order of the page. */
export const METRIC_KEYS = [
  "requests",
  "requestErrors",
  "requestSeconds",
  "requestBytes",
  "responseBytes",
  "inputTokens",
  "outputTokens",
  "cachedTokens",
  "running",
  "ntpotSeconds",
  "ttftSeconds",
  "tpotSeconds",
  "itlSeconds",
  "averageKvUsage",
  "averageQueue",
  "averageRunning",
  "stdDevKvUsage",
  "stdDevQueue",
  "stdDevRunning",
  "readyEndpoints",
  "endpointQueue",
  "schedulerSeconds",
  "schedulerAttempts",
  "pluginSeconds",
  "indexSize",
  "prefixHitRatio",
  "prefixHitBytes",
  "disaggDecisions",
  "pdDecisions",
  "info",
  "pdFallbacks",
  "pdRefusals",
  "pdTransferSeconds",
  "pdTransferBytes",
  "retries",
  "rejections",
  "pluginFailures",
  "endpointChanges",
  "expiredExchanges",
  "configReloads",
  "pollErrors",
  "extractErrors",
  "kvMessages",
  "kvReconnections",
  "kvErrors",
  "kvSubscribers",
  "kvGaps",
  "kvResyncs",
  "kvFaults",
  "endpointsReloads",
  "discoveryFaults",
  "inFlight",
  "bufferedBytes",
  "indexBytes",
] as const;
export type MetricKey = (typeof METRIC_KEYS)[number];

/** Every metric that the router exports; durations are seconds of engine time. */
export const METRIC_TABLE: Readonly<Record<MetricKey, MetricSpec>> = {
  requests: {
    ...llmd("request_total", "counter", REQUEST, "Requests that were sent to an endpoint."),
    alias: objective("request_total", [...MODELS, "priority"]),
  },
  requestErrors: {
    ...llmd(
      "request_error_total",
      "counter",
      [...REQUEST, "error_code"],
      "Requests that were answered with status 400 or above, by status.",
    ),
    alias: objective("request_error_total", [...MODELS, "error_code"]),
  },
  requestSeconds: {
    ...llmd("request_duration_seconds", "histogram", REQUEST, "Arrival to the answer's last byte."),
    buckets: LATENCY_SECONDS,
    alias: objective("request_duration_seconds", MODELS),
  },
  requestBytes: {
    ...llmd("request_size_bytes", "histogram", REQUEST, "Bytes of the request body."),
    buckets: REQUEST_BYTES,
    alias: objective("request_sizes", MODELS),
  },
  responseBytes: {
    ...llmd("response_size_bytes", "histogram", REQUEST, "Bytes of the response body."),
    buckets: RESPONSE_BYTES,
    alias: objective("response_sizes", MODELS),
  },
  inputTokens: {
    ...llmd("request_input_tokens", "histogram", REQUEST, "Prompt tokens, as the engine counted."),
    buckets: TOKENS,
    alias: objective("input_tokens", MODELS),
  },
  outputTokens: {
    ...llmd("request_output_tokens", "histogram", REQUEST, "Generated tokens."),
    buckets: OUTPUT_TOKENS,
    alias: objective("output_tokens", MODELS),
  },
  cachedTokens: {
    ...llmd("request_cached_tokens", "histogram", REQUEST, "Prompt tokens found in a cache."),
    buckets: TOKENS,
    alias: objective("prompt_cached_tokens", MODELS),
  },
  running: {
    ...llmd("request_running", "gauge", REQUEST, "Requests sent to an endpoint and not ended."),
    alias: objective("running_requests", ["model_name"]),
  },
  ntpotSeconds: {
    ...llmd("request_ntpot_seconds", "histogram", REQUEST, "Duration over generated tokens."),
    buckets: NTPOT_SECONDS,
    alias: objective("normalized_time_per_output_token_seconds", MODELS),
  },
  ttftSeconds: {
    ...llmd(
      "request_ttft_seconds",
      "histogram",
      [...REQUEST, "streaming"],
      "Arrival to the first byte of the answer's body.",
    ),
    buckets: TTFT_SECONDS,
  },
  tpotSeconds: {
    ...llmd(
      "request_streaming_tpot_seconds",
      "histogram",
      REQUEST,
      "Streams: time after the first byte over the generated tokens after the first.",
    ),
    buckets: TPOT_SECONDS,
  },
  itlSeconds: {
    ...llmd("request_streaming_itl_seconds", "histogram", REQUEST, "Gap between two chunks."),
    buckets: ITL_SECONDS,
  },
  averageKvUsage: pool("average_kv_cache_utilization", "Mean KV-cache usage, 0..1."),
  averageQueue: pool("average_queue_size", "Mean waiting-queue depth."),
  averageRunning: pool("average_running_requests", "Mean size of the running batches."),
  stdDevKvUsage: stdDev("std_dev_kv_cache_utilization", "KV-cache usage"),
  stdDevQueue: stdDev("std_dev_queue_size", "waiting-queue depth"),
  stdDevRunning: stdDev("std_dev_running_requests", "the size of the running batches"),
  readyEndpoints: {
    ...llmd("ready_endpoints", "gauge", ["name"], "Endpoints that may be chosen."),
    alias: { name: "inference_pool_ready_pods", labels: ["name"] },
  },
  endpointQueue: {
    ...llmd(
      "per_endpoint_queue_size",
      "gauge",
      ["name", "model_server_endpoint"],
      "Waiting-queue depth of an endpoint.",
    ),
    alias: {
      name: "inference_pool_per_pod_queue_size",
      labels: ["name", "model_server_pod"],
      renamed: { model_server_pod: "model_server_endpoint" },
    },
  },
  schedulerSeconds: {
    ...llmd("scheduler_e2e_duration_seconds", "histogram", [], "Time of a scheduling decision."),
    buckets: SCHEDULING_SECONDS,
    alias: extension("scheduler_e2e_duration_seconds", []),
  },
  schedulerAttempts: {
    ...llmd(
      "scheduler_attempts_total",
      "counter",
      ["status", "target_model_name", "endpoint_name", "namespace", "port"],
      "Scheduling decisions, by success or failure.",
    ),
    alias: {
      ...extension("scheduler_attempts_total", [
        "status",
        "target_model_name",
        "pod_name",
        "namespace",
        "port",
      ]),
      renamed: { pod_name: "endpoint_name" },
    },
  },
  pluginSeconds: {
    ...llmd("plugin_duration_seconds", "histogram", PLUGIN_CALL, "Time of a plugin call, sampled."),
    buckets: SCHEDULING_SECONDS,
    alias: extension("plugin_duration_seconds", PLUGIN_CALL),
  },
  indexSize: {
    ...llmd("prefix_indexer_size", "gauge", PLUGIN, "Blocks that a prefix index holds."),
    alias: extension("prefix_indexer_size", []),
  },
  prefixHitRatio: {
    ...llmd("prefix_indexer_hit_ratio", "histogram", PLUGIN, "Matched share of a prompt's blocks."),
    buckets: RATIOS,
    alias: extension("prefix_indexer_hit_ratio", PLUGIN),
  },
  prefixHitBytes: {
    ...llmd("prefix_indexer_hit_bytes", "histogram", PLUGIN, "Matched bytes of a prompt."),
    buckets: HIT_BYTES,
    alias: extension("prefix_indexer_hit_bytes", PLUGIN),
  },
  disaggDecisions: disagg("disagg_decision_total"),
  pdDecisions: disagg("pd_decision_total"),
  info: {
    ...llmd("info", "gauge", ["commit", "build_ref"], "Always 1; the labels name the build."),
    alias: extension("info", ["commit", "build_ref"]),
  },
  pdFallbacks: own("pd_fallback_total", "counter", ["reason"], "Splits that fell back to decode."),
  pdRefusals: own(
    "pd_refusals_total",
    "counter",
    ["reason"],
    "Splits that the prefill leg answered with 4xx, which is then the answer.",
  ),
  pdTransferSeconds: {
    ...own("pd_transfer_seconds", "histogram", [], "Time of a KV-cache transfer."),
    buckets: LATENCY_SECONDS,
  },
  pdTransferBytes: own("pd_transfer_bytes_total", "counter", [], "KV-cache bytes transferred."),
  retries: own("retries_total", "counter", ["reason"], "Requests moved to another endpoint."),
  rejections: own("rejections_total", "counter", ["reason"], "Requests refused before dispatch."),
  pluginFailures: own(
    "plugin_failures_total",
    "counter",
    ["plugin_type", "plugin_name", "extension_point"],
    "Calls in which a plugin threw.",
  ),
  endpointChanges: own(
    "endpoint_changes_total",
    "counter",
    ["change"],
    "Endpoints added, removed, found ready or ejected.",
  ),
  expiredExchanges: own(
    "expired_exchanges_total",
    "counter",
    [],
    "Requests given up because no end came within the limit.",
  ),
  configReloads: own(
    "config_reloads_total",
    "counter",
    ["result"],
    "Changed configuration files, by whether they were applied or rejected.",
  ),
  endpointsReloads: own(
    "endpoints_reloads_total",
    "counter",
    ["result"],
    "Changed endpoints files, by whether they were applied or rejected.",
  ),
  discoveryFaults: own(
    "discovery_faults_total",
    "counter",
    ["resource", "reason"],
    "Faults of following objects in Kubernetes: connections, refusals, lists that had to be made anew, objects that were skipped.",
  ),
  pollErrors: datalayer("poll_errors_total", [], "Scrapes of an engine that gave nothing."),
  extractErrors: datalayer(
    "extract_errors_total",
    ["extractor_type"],
    "Figures that some plugin reads and a scrape did not have.",
  ),
  kvMessages: kvEvents("messages_received_total", "counter", "Messages of engines' KV events."),
  kvReconnections: kvEvents(
    "subscriber_reconnections_total",
    "counter",
    "Connections to a KV-event socket that broke and stood again.",
  ),
  kvErrors: kvEvents(
    "zmq_errors_total",
    "counter",
    "Failures of KV-event sockets: addresses, handshakes, replays without answer.",
  ),
  kvSubscribers: kvEvents("active_subscribers", "gauge", "Endpoints whose KV events are read."),
  kvGaps: own(
    "kv_events_gaps_total",
    "counter",
    ["name", "result"],
    "Gaps between KV-event messages, by whether the engine sent the missing ones again.",
  ),
  kvResyncs: own(
    "kv_events_resyncs_total",
    "counter",
    ["name", "reason"],
    "Times that what an endpoint had reported was given up.",
  ),
  kvFaults: own(
    "kv_events_malformed_total",
    "counter",
    ["name"],
    "KV events and messages of a wrong shape.",
  ),
  inFlight: own(
    "inflight_requests",
    "gauge",
    ["name", "endpoint"],
    "Requests sent to an endpoint and not ended.",
  ),
  bufferedBytes: own("buffered_bytes", "gauge", [], "Bytes of request bodies held."),
  indexBytes: own(
    "index_bytes",
    "gauge",
    PLUGIN,
    "Memory set aside for a prefix index; what was never used of it is not resident.",
  ),
};

function llmd(name: string, type: MetricType, labels: readonly string[], help: string): MetricSpec {
  return { name: `llm_d_epp_${name}`, type, labels, help };
}

function own(name: string, type: MetricType, labels: readonly string[], help: string): MetricSpec {
  return { name: `switchyard_${name}`, type, labels, help };
}

function datalayer(name: string, more: readonly string[], help: string): MetricSpec {
  const labels = ["source_type", ...more];
  const alias = { name: `llm_d_inference_scheduler_datalayer_${name}`, labels };
  return { ...llmd(`datalayer_${name}`, "counter", labels, help), alias };
}

function kvEvents(name: string, type: MetricType, help: string): MetricSpec {
  const alias = { name: `kvcache_kvevents_${name}`, labels: ["name"] };
  return { ...llmd(`kv_cache_events_${name}`, type, ["name"], help), alias };
}

function pool(name: string, help: string): MetricSpec {
  const alias = { name: `inference_pool_${name}`, labels: ["name"] };
  return { ...llmd(name, "gauge", ["name"], help), alias };
}

function stdDev(name: string, of: string): MetricSpec {
  return llmd(name, "gauge", ["name"], `Sample standard deviation of ${of}.`);
}

function disagg(name: string): MetricSpec {
  const labels = [...PLUGIN, "model_name", "decision_type"];
  const alias = {
    name: `llm_d_inference_scheduler_${name}`,
    labels: ["model_name", "decision_type"],
  };
  return { ...llmd(name, "counter", labels, "Decisions to split a request or not."), alias };
}

function objective(name: string, labels: readonly string[]): MetricAlias {
  return { name: `inference_objective_${name}`, labels };
}

function extension(name: string, labels: readonly string[]): MetricAlias {
  return { name: `inference_extension_${name}`, labels };
}

/** Where in a configuration an older form is found. */
export type MappingKind = "apiVersion" | "type" | "parameter" | "field" | "gate" | "flag";

/** One older form and what took its place. */
export interface Mapping {
  readonly kind: MappingKind;
  /** A parameter is written `type.key`, a flag without dashes. */
  readonly from: string;
  /** Empty when nothing took its place. */
  readonly to: string;
  /** First release that has the newer form. */
  readonly since: string;
  /** How values map, or what differs. */
  readonly remark: string;
  /** Whether requests may be routed otherwise after the change. */
  readonly isMeaningChanged: boolean;
  /** Whether only the name differs, so that one may be read as the other. */
  readonly isRename: boolean;
}

/** The mapping of an older form, if it has one. */
export function mappingOf(kind: MappingKind, from: string): Mapping | undefined {
  return MAPPINGS.find((mapping) => mapping.kind === kind && mapping.from === from);
}

/** `from → to (since …): remark`. */
export function describeMapping({ from, to, since, remark }: Mapping): string {
  return `${from} → ${to === "" ? "nothing" : to} (since ${since})${remark === "" ? "" : `: ${remark}`}`;
}

function renamed(from: string, to: string, since: string, remark = ""): Mapping {
  return { kind: "type", from, to, since, remark, isMeaningChanged: false, isRename: true };
}

function moved(kind: MappingKind, from: string, to: string, since: string, remark = ""): Mapping {
  return { kind, from, to, since, remark, isMeaningChanged: false, isRename: false };
}

const PRODUCER = "approx-prefix-cache-producer";

/** Flags of the picker that are written in kebab case since GAIE 1.0. */
const KEBAB_FLAGS: readonly (readonly [camel: string, kebab: string])[] = [
  ["poolName", "pool-name"],
  ["poolNamespace", "pool-namespace"],
  ["grpcPort", "grpc-port"],
  ["grpcHealthPort", "grpc-health-port"],
  ["metricsPort", "metrics-port"],
  ["secureServing", "secure-serving"],
  ["certPath", "cert-path"],
  ["configText", "config-text"],
  ["configFile", "config-file"],
  ["refreshMetricsInterval", "refresh-metrics-interval"],
  ["refreshPrometheusMetricsInterval", "refresh-prometheus-metrics-interval"],
  ["modelServerMetricsPort", "model-server-metrics-port"],
  ["modelServerMetricsPath", "model-server-metrics-path"],
  ["modelServerMetricsScheme", "model-server-metrics-scheme"],
  ["modelServerMetricsHttpsInsecureSkipVerify", "model-server-metrics-https-insecure-skip-verify"],
  ["totalQueuedRequestsMetric", "total-queued-requests-metric"],
  ["kvCacheUsagePercentageMetric", "kv-cache-usage-percentage-metric"],
  ["loraInfoMetric", "lora-info-metric"],
];

/** Engine metric names that became parameters of the extractor. */
const METRIC_FLAGS: readonly (readonly [flag: string, parameter: string])[] = [
  ["total-queued-requests-metric", "queuedRequestsSpec"],
  ["total-running-requests-metric", "runningRequestsSpec"],
  ["kv-cache-usage-percentage-metric", "kvUsageSpec"],
  ["lora-info-metric", "loraSpec"],
  ["cache-info-metric", "cacheInfoSpec"],
];

/** Every older form that llm-d or KServe replaced, as KServe migrates it where KServe does. */
export const MAPPINGS: readonly Mapping[] = [
  moved(
    "apiVersion",
    "inference.networking.x-k8s.io/v1alpha1",
    "llm-d.ai/v1alpha1",
    "llm-d-router 0.9",
    "llm-d reads the older one still",
  ),
  {
    ...renamed("kv-cache-scorer", "kv-cache-utilization-scorer", "GAIE 1.0"),
    remark: "same formula; here kv-cache-scorer also matches blocks",
    isMeaningChanged: true,
  },
  {
    ...renamed("prefill-header-handler", "disagg-headers-handler", "llm-d-inference-scheduler 0.7"),
    remark: "same header to the engine; X-Prefill of a client is not read any more",
    isMeaningChanged: true,
  },
  renamed(
    "model-server-protocol-metrics",
    "core-metrics-extractor",
    "llm-d-inference-scheduler 0.8",
  ),
  renamed("model-server-protocol-models", "models-data-extractor", "llm-d-inference-scheduler 0.8"),
  renamed("tokenizer", "token-producer", "llm-d-router 0.9"),
  renamed("by-label-selector", "label-selector-filter", "llm-d-router 0.9"),
  renamed("active-request-filter", "utilization-filter", "llm-d-router 0.10"),
  renamed("eviction-sheddable-filter", "sheddable-eviction-filter", "llm-d-router 0.10"),
  renamed(
    "eviction-priority-then-time-ordering",
    "priority-then-time-eviction-order-policy",
    "llm-d-router 0.10",
  ),
  moved("type", "by-label", "label-selector-filter", "llm-d-router 0.9", "deprecated, still read"),
  moved(
    "type",
    "precise-prefix-cache-scorer",
    "token-producer + precise-prefix-cache-producer + prefix-cache-scorer",
    "llm-d-router 0.9",
    "still read",
  ),
  moved(
    "parameter",
    "precise-prefix-cache-scorer.indexerConfig.tokenProcessorConfig",
    "precise-prefix-cache-producer.tokenProcessorConfig",
    "llm-d-inference-scheduler 0.6",
  ),
  moved(
    "parameter",
    "precise-prefix-cache-scorer.indexerConfig.tokenizersPoolConfig",
    "token-producer.modelName",
    "llm-d-router 0.9",
    "other settings of the pool have no place any more",
  ),
  moved(
    "type",
    "pd-profile-handler",
    "disagg-profile-handler",
    "llm-d-inference-scheduler 0.7",
    "a decider says when to split",
  ),
  {
    ...moved(
      "parameter",
      "pd-profile-handler.threshold",
      "deciders.prefill",
      "llm-d-inference-scheduler 0.7",
    ),
    remark:
      "0 → always-disagg-pd-decider; " +
      "N bytes → prefix-based-pd-decider with nonCachedTokens max(1, ceil(N / 4))",
    isMeaningChanged: true,
  },
  moved(
    "parameter",
    "pd-profile-handler.deciderPluginName",
    "disagg-profile-handler.deciders.prefill",
    "llm-d-inference-scheduler 0.7",
  ),
  moved(
    "parameter",
    "pd-profile-handler.decodeProfile",
    "disagg-profile-handler.profiles.decode",
    "llm-d-inference-scheduler 0.7",
  ),
  moved(
    "parameter",
    "pd-profile-handler.prefillProfile",
    "disagg-profile-handler.profiles.prefill",
    "llm-d-inference-scheduler 0.7",
  ),
  ...["hashBlockSize", "prefixPluginName", "prefixPluginType"].map((key) =>
    moved(
      "parameter",
      `pd-profile-handler.${key}`,
      "",
      "llm-d-inference-scheduler 0.7",
      "the match carries its own block size",
    ),
  ),
  moved(
    "parameter",
    "prefix-cache-scorer.hashBlockSize",
    `${PRODUCER}.blockSizeTokens`,
    "GAIE 1.5",
    "bytes / 4, rounded up, at least 16",
  ),
  moved(
    "parameter",
    "prefix-cache-scorer.blockSize",
    `${PRODUCER}.blockSizeTokens`,
    "GAIE 1.5",
    "bytes / 4, rounded up, at least 16",
  ),
  moved(
    "parameter",
    "prefix-cache-scorer.blockSizeTokens",
    `${PRODUCER}.blockSizeTokens`,
    "GAIE 1.5",
  ),
  moved(
    "parameter",
    "prefix-cache-scorer.maxPrefixBlocksToMatch",
    `${PRODUCER}.maxPrefixTokensToMatch`,
    "GAIE 1.5",
    "blocks × tokens of a block",
  ),
  moved(
    "parameter",
    "prefix-cache-scorer.maxPrefixTokensToMatch",
    `${PRODUCER}.maxPrefixTokensToMatch`,
    "GAIE 1.5",
  ),
  moved(
    "parameter",
    "prefix-cache-scorer.lruCapacityPerServer",
    `${PRODUCER}.lruCapacityPerServer`,
    "GAIE 1.5",
  ),
  moved("parameter", "prefix-cache-scorer.autoTune", `${PRODUCER}.autoTune`, "GAIE 1.5"),
  moved(
    "field",
    "saturationDetector",
    "flowControl.saturationDetector",
    "llm-d-router 0.9",
    "the newer one wins when both are there",
  ),
  moved(
    "field",
    "parser",
    "requestHandler.parsers",
    "llm-d-router 0.9",
    "the newer one wins when both are there",
  ),
  ...["dataLayer", "enableLegacyMetrics"].map((gate) =>
    moved("gate", gate, "", "llm-d-router 0.9", "llm-d refuses to start with it"),
  ),
  ...KEBAB_FLAGS.map(([from, to]) => moved("flag", from, to, "GAIE 1.0")),
  ...METRIC_FLAGS.map(([from, to]) =>
    moved(
      "flag",
      from,
      `core-metrics-extractor.engineConfigs[].${to}`,
      "llm-d-inference-scheduler 0.7",
    ),
  ),
  ...["scheme", "path", "https-insecure-skip-verify"].map((name) =>
    moved(
      "flag",
      `model-server-metrics-${name}`,
      `metrics-data-source.${name === "https-insecure-skip-verify" ? "insecureSkipVerify" : name}`,
      "llm-d-router 0.10",
    ),
  ),
  moved("flag", "model-server-metrics-port", "metrics-data-source.port", "llm-d-router 0.10"),
];

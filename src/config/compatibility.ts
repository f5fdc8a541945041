/** `apiVersion`s of the two eras of an `EndpointPickerConfig`. */
export const API_VERSIONS = [
  "inference.networking.x-k8s.io/v1alpha1",
  "llm-d.ai/v1alpha1",
] as const;

/** Its only `kind`. */
export const CONFIG_KIND = "EndpointPickerConfig";

/** Fields that llm-d reads and that change nothing here, with the form they must have. */
export const UNUSED_FIELDS = {
  featureGates: "list",
  dataLayer: "mapping",
  flowControl: "mapping",
  requestHandler: "mapping",
  saturationDetector: "mapping",
  parser: "mapping",
} as const;

/** Plugin types that llm-d renamed without changing their parameters. */
export const RENAMED_TYPES: readonly RenamedType[] = [
  { from: "kv-cache-scorer", to: "kv-cache-utilization-scorer" },
  { from: "prefill-header-handler", to: "disagg-headers-handler" },
  { from: "model-server-protocol-metrics", to: "core-metrics-extractor" },
  { from: "model-server-protocol-models", to: "models-data-extractor" },
  { from: "tokenizer", to: "token-producer" },
  { from: "by-label-selector", to: "label-selector-filter" },
];

/** One renamed plugin type; used where only `to` is registered. */
export interface RenamedType {
  readonly from: string;
  readonly to: string;
}

/** Types of the two halves of the prefix cache: who scores, and who keeps the index. */
export const PREFIX_CACHE_SCORER = "prefix-cache-scorer";
export const PREFIX_CACHE_PRODUCER = "approx-prefix-cache-producer";

/** Parameters that fix the block size, with the bytes that one of their units means. */
export const BLOCK_SIZE_PARAMETERS: Readonly<Record<string, number>> = {
  hashBlockSize: 1,
  blockSize: 1,
  // llm-d estimates four bytes to a token.
  blockSizeTokens: 4,
};

/** What the prefix cache is unless its parameters say otherwise (llm-d's own defaults). */
export const PREFIX_CACHE_DEFAULTS = {
  blockBytes: 64,
  maxPrefixBlocksToMatch: 256,
  lruCapacityPerServer: 31_250,
} as const;

/** Types that stand in where a configuration names no handler or no picker. */
export const DEFAULT_HANDLER = "single-profile-handler";
export const DEFAULT_PICKER = "max-score-picker";
/** Profile of a configuration that lists none. */
export const DEFAULT_PROFILE = "default";
/** Weight of a scorer that has none. */
export const DEFAULT_WEIGHT = 1;

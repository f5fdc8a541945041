/** `apiVersion`s of the two eras of an `EndpointPickerConfig`. */
export const API_VERSIONS = [
  "inference.networking.x-k8s.io/v1alpha1",
  "llm-d.ai/v1alpha1",
] as const;

/** The rules that a configuration was written for: bytes and thresholds, or tokens and deciders. */
export type Era = "bytes" | "tokens";

/** The era of an `apiVersion`. */
export function eraOf(apiVersion: unknown): Era {
  return apiVersion === API_VERSIONS[1] ? "tokens" : "bytes";
}

/** Its only `kind`. */
export const CONFIG_KIND = "EndpointPickerConfig";

/** Fields that llm-d reads and that change nothing here; each is a mapping. */
export const UNUSED_FIELDS = [
  "dataLayer",
  "flowControl",
  "requestHandler",
  "saturationDetector",
  "parser",
] as const;

/** Gates that llm-d knows. */
export const FEATURE_GATES = ["flowControl", "haPopulateNonLeaderDatastore"] as const;

/** Types of the two halves of the prefix cache: who scores, and who keeps the index. */
export const PREFIX_CACHE_SCORER = "prefix-cache-scorer";
export const PREFIX_CACHE_PRODUCER = "approx-prefix-cache-producer";

/** Who produces a request attribute that is needed and that nobody produces, by attribute. */
export const DEFAULT_PRODUCERS: Readonly<Record<string, string>> = {
  "prefix-match": PREFIX_CACHE_PRODUCER,
  "prompt-tokens": "token-producer",
  "session-id": "session-id-producer",
};

/** Types that stand in where a configuration names no handler or no picker. */
export const DEFAULT_HANDLER = "single-profile-handler";
export const DEFAULT_PICKER = "max-score-picker";
/** Profile of a configuration that lists none. */
export const DEFAULT_PROFILE = "default";
/** Weight of a scorer that has none. */
export const DEFAULT_WEIGHT = 1;

/** In which releases of the llm-d picker a plugin type is known. */
export interface PluginHistory {
  /** First and last release: 7 is 0.7; no last one while it is still known. */
  readonly since: number;
  readonly until?: number;
  /** Release from which it is deprecated, and what is used instead. */
  readonly deprecated?: { readonly since: number; readonly instead: string };
}

const FIRST = 2;

/** Types that llm-d registers; a type that is not here is somebody's own. */
export const PLUGIN_HISTORY: ReadonlyMap<string, PluginHistory> = new Map<string, PluginHistory>([
  ["kv-cache-scorer", { since: FIRST, until: 2 }],
  [
    "pd-profile-handler",
    { since: FIRST, deprecated: { since: 7, instead: "disagg-profile-handler and a decider" } },
  ],
  [
    "prefill-header-handler",
    { since: FIRST, deprecated: { since: 7, instead: "disagg-headers-handler" } },
  ],
  [
    "disagg-headers-handler",
    {
      since: 7,
      deprecated: { since: 9, instead: "disagg-profile-handler, which writes the headers" },
    },
  ],
  ["by-label", { since: FIRST, deprecated: { since: 9, instead: "label-selector-filter" } }],
  [
    "by-label-selector",
    { since: FIRST, deprecated: { since: 9, instead: "label-selector-filter" } },
  ],
  [
    "precise-prefix-cache-scorer",
    {
      since: 3,
      deprecated: { since: 9, instead: "precise-prefix-cache-producer and prefix-cache-scorer" },
    },
  ],
  ["tokenizer", { since: 8, deprecated: { since: 9, instead: "token-producer" } }],
  [
    "model-server-protocol-metrics",
    { since: 5, deprecated: { since: 8, instead: "core-metrics-extractor" } },
  ],
  [
    "model-server-protocol-models",
    { since: 5, deprecated: { since: 8, instead: "models-data-extractor" } },
  ],
  ...known(FIRST, [
    "single-profile-handler",
    "max-score-picker",
    "random-picker",
    "queue-scorer",
    "prefix-cache-scorer",
    "load-aware-scorer",
    "session-affinity-scorer",
    "prefill-filter",
    "decode-filter",
  ]),
  ...known(3, [
    "kv-cache-utilization-scorer",
    "lora-affinity-scorer",
    "weighted-random-picker",
    "active-request-scorer",
  ]),
  ...known(4, ["no-hit-lru-scorer", "data-parallel-profile-handler"]),
  ...known(5, ["running-requests-size-scorer"]),
  ...known(6, ["always-disagg-pd-decider", "prefix-based-pd-decider"]),
  ...known(7, ["disagg-profile-handler", "encode-filter"]),
  ...known(8, [
    "approx-prefix-cache-producer",
    "inflight-load-producer",
    "token-load-scorer",
    "latency-scorer",
    "core-metrics-extractor",
    "models-data-extractor",
  ]),
  ...known(9, [
    "label-selector-filter",
    "token-producer",
    "precise-prefix-cache-producer",
    "metrics-data-source",
  ]),
  ...known(10, ["header-profile-handler", "utilization-filter"]),
]);

function known(
  since: number,
  types: readonly string[],
): readonly (readonly [string, PluginHistory])[] {
  return types.map((type) => [type, { since }]);
}

/** Whether a release registers a type; unknown types are taken to be registered. */
export function isRegistered(type: string, minor: number): boolean {
  const history = PLUGIN_HISTORY.get(type);
  if (history === undefined) return true;
  return history.since <= minor && minor <= (history.until ?? Number.POSITIVE_INFINITY);
}

/** Parameters of the prefix scorer that moved to a producer in release 0.9. */
export const MOVED_PREFIX_PARAMETERS: readonly string[] = [
  "hashBlockSize",
  "blockSize",
  "blockSizeTokens",
  "maxPrefixBlocksToMatch",
  "lruCapacityPerServer",
  "autoTune",
];

/** Where a plugin stands in the description's four groups, or beside them. */
export const PLUGIN_CATEGORIES = ["handler", "filter", "scorer", "picker", "other"] as const;
export type PluginCategory = (typeof PLUGIN_CATEGORIES)[number];

/** What a plugin type does, in llm-d of the configurations' era and here. */
export interface PluginFacts {
  readonly category: PluginCategory;
  /** Half a line, for diagrams. */
  readonly brief: string;
  /** Scheduler 0.2 with its endpoint picker library 0.5, which these configurations were written for. */
  readonly inLlmd: string;
  /** A sentence of the type's section in `docs/plugins.md`, word for word. */
  readonly here: string;
  /** The section's formula, word for word; undefined where it has none. */
  readonly formula?: string;
  /** Meaning of the parameters that files of that era set, by their name in the section's table. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** Facts by plugin type; a type that is not here is shown with its category alone. */
export const PLUGIN_FACTS: ReadonlyMap<string, PluginFacts> = new Map<string, PluginFacts>([
  [
    "single-profile-handler",
    {
      category: "handler",
      brief: "every request runs the one profile",
      inLlmd:
        "Runs every profile once and demands exactly one result: with two profiles each request fails.",
      here: "Runs the one profile there is and sends the request to its first endpoint.",
      parameters: {},
    },
  ],
  [
    "pd-profile-handler",
    {
      category: "handler",
      brief: "decode first, then prefill where that pays",
      inLlmd:
        "Runs decode first, then prefill unless uncached bytes < threshold; 0 always splits. It classifies nothing: a split request uses both stages.",
      here: "Runs the decode profile, then the prefill profile when enough of the prompt is not cached on the decode endpoint.",
      formula:
        "Uncached bytes = prompt bytes − matched blocks of the decode endpoint × block bytes. Split if `threshold` is 0 or uncached bytes ≥ `threshold`.",
      parameters: {
        threshold:
          "uncached prompt bytes (not tokens, not request size) from which on prefill is split off; 0 splits every request",
      },
    },
  ],
  [
    "prefill-header-handler",
    {
      category: "handler",
      brief: "names the prefill endpoint to the decode side",
      inLlmd:
        "Writes the chosen prefill endpoint into x-prefiller-host-port. It reads no header: a client's X-Prefill means nothing.",
      here: "Reads the client's `X-Prefill` (`true` or `false`) into `requested-stage`, and writes the chosen prefill endpoints into `x-prefiller-host-port`, best first, for the decode side's sidecar.",
      parameters: {},
    },
  ],
  [
    "prefill-filter",
    {
      category: "filter",
      brief: "keeps endpoints of role prefill",
      inLlmd: "Keeps llm-d.ai/role=prefill; both is dropped, and so is a missing label.",
      here: "Keeps endpoints whose label `llm-d.ai/role` includes prefill: `prefill`, `both`, `prefill-decode`, `encode-prefill`, `encode-prefill-decode`.",
      parameters: {},
    },
  ],
  [
    "decode-filter",
    {
      category: "filter",
      brief: "keeps endpoints of role decode, or without one",
      inLlmd: "Keeps llm-d.ai/role=decode and both, and endpoints without the label.",
      here: "Keeps endpoints whose label `llm-d.ai/role` includes decode: `decode`, `both`, `prefill-decode`, `encode-prefill-decode`; and those without the label.",
      parameters: {},
    },
  ],
  [
    "queue-scorer",
    {
      category: "scorer",
      brief: "prefers short waiting queues",
      inLlmd:
        "(longest − own) / (longest − shortest) of the last scrape; 1 when all are equal. An endpoint that was never scraped looks idle.",
      here: "Prefers endpoints with few waiting requests, compared with the other candidates of the profile.",
      formula:
        "(longest − own) / (longest − shortest) over the candidates whose depth is known; 1 when all are equal, 0.5 for an unknown one.",
      parameters: {},
    },
  ],
  [
    "kv-cache-scorer",
    {
      category: "scorer",
      brief: "prefers endpoints that hold the prompt's blocks, or have cache free",
      inLlmd:
        "1 − KV-cache usage, and nothing else: it matches no tokens (kv-cache-utilization-scorer today).",
      here: "Prefers endpoints whose engine itself reports, by KV events, that it holds the prompt's KV-cache blocks. When some candidate reports nothing, all are compared by how much of their KV cache is free.",
      formula:
        "Match: leading blocks held / full blocks of the prompt in the engine's block size; 0 for a prompt shorter than a block. Utilization: 1 − `kvCacheUsage`.",
      parameters: {},
    },
  ],
  [
    "prefix-cache-scorer",
    {
      category: "scorer",
      brief: "prefers endpoints that were sent the same beginning",
      inLlmd:
        "Matched blocks / all blocks by the router's own memory of what it sent where. The model counts as a block, so an endpoint that knows only the model scores above 0.",
      here: "Prefers endpoints to which the longest prefix of the prompt was sent before, by this router's own account.",
      formula:
        "Matched leading blocks / min(full blocks of the prompt, `maxPrefixBlocksToMatch`); 0 for a prompt shorter than a block.",
      parameters: {},
    },
  ],
  [
    "approx-prefix-cache-producer",
    {
      category: "other",
      brief: "remembers which blocks were sent where",
      inLlmd:
        "Part of prefix-cache-scorer: one LRU list of block hashes for each endpoint, written at scheduling.",
      here: "Remembers which blocks of prompts were sent to which endpoint, and says for each request how many leading blocks every endpoint should hold.",
      formula:
        "The prompt is cut into full blocks and hashed as a chain that is seeded by model and `cache_salt`; the match of an endpoint is the number of leading blocks in its LRU list.",
      parameters: {
        hashBlockSize:
          "bytes of prompt in a hashed block, not tokens: 64 bytes are about 16 tokens",
        maxPrefixBlocksToMatch: "leading blocks that are looked at; beyond them nothing is seen",
        lruCapacityPerServer: "blocks remembered for each endpoint",
      },
    },
  ],
  [
    "max-score-picker",
    {
      category: "picker",
      brief: "highest weighted total, equal ones by lot",
      inLlmd:
        "A picker, not a scorer: shuffles, sorts by weighted total, takes the first; equal totals are a lot.",
      here: "Orders the survivors by total, highest first. Equal totals are drawn by lot, each order alike.",
      formula: "Uniform shuffle, then stable sort by total; totals are compared exactly.",
      parameters: { maxNumOfEndpoints: "endpoints that are named to the proxy" },
    },
  ],
  [
    "random-picker",
    {
      category: "picker",
      brief: "by lot",
      inLlmd: "Shuffles and takes the first; scores are ignored, so neither load nor caches count.",
      here: "Orders the survivors by lot, each order alike. Scores do not matter.",
      formula: "Uniform shuffle.",
      parameters: { maxNumOfEndpoints: "endpoints that are named to the proxy" },
    },
  ],
]);

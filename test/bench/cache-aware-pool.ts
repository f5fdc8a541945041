import type { PoolTraits } from "../fixtures/pool-core.ts";

/** Bytes of a block of the benchmarks' prompts, and blocks of a prompt. */
export const BLOCK_BYTES = 64;
export const PROMPT_BLOCKS = 256;
/** What the prefix cache of an H100 with gpt-oss-20b holds. */
export const BLOCKS_PER_ENDPOINT = 39_744;

/** The plugins of a cache-aware pool, whose decisions are measured. */
export const CACHE_AWARE: Pick<PoolTraits, "plugins" | "profiles"> = {
  plugins: [
    "single-profile-handler",
    {
      plugin: "approx-prefix-cache-producer",
      parameters: {
        blockBytes: BLOCK_BYTES,
        maxPrefixBlocksToMatch: PROMPT_BLOCKS,
        lruCapacityPerServer: BLOCKS_PER_ENDPOINT,
      },
    },
    "prefix-cache-scorer",
    "queue-scorer",
    "kv-cache-scorer",
    "max-score-picker",
  ],
  profiles: {
    default: [
      ["prefix-cache-scorer", 2],
      ["queue-scorer", 1],
      ["kv-cache-scorer", 1],
      "max-score-picker",
    ],
  },
};

import type { Era } from "./compatibility.ts";
import type { ConfigNote } from "./router-config.ts";
import type { SourceNode } from "./source-node.ts";

/** Parameters of the `approx-prefix-cache-producer` in their internal form. */
export interface PrefixCacheParameters {
  readonly blockBytes: number;
  readonly maxPrefixBlocksToMatch: number;
  readonly lruCapacityPerServer: number;
}

/** llm-d estimates four bytes to a token. */
export const BYTES_PER_TOKEN = 4;

/** Smallest block of the token era; llm-d goes up to 64 tokens, and its files say 16 all the same. */
export const BLOCK_TOKENS_MIN = 16;

/** Blocks of 64 bytes in a body of 64 MiB, the largest that is read: what "unlimited" comes to. */
const BLOCKS_MAX = 1_048_576;

/** Parameters that fix the block size, with the bytes that one of their units means. */
const BLOCK_SIZE_PARAMETERS: Readonly<Record<string, number>> = {
  hashBlockSize: 1,
  blockSize: 1,
  blockSizeTokens: BYTES_PER_TOKEN,
};

/** Parameters of the cache, wherever an era writes them. */
export const PREFIX_CACHE_PARAMETERS: readonly string[] = [
  ...Object.keys(BLOCK_SIZE_PARAMETERS),
  "maxPrefixBlocksToMatch",
  "maxPrefixTokensToMatch",
  "lruCapacityPerServer",
  "autoTune",
];

/** llm-d's defaults, by era; 0 tokens leave the bound to the blocks. */
const DEFAULTS: Readonly<Record<Era, { readonly maxBlocks: number; readonly maxTokens: number }>> =
  {
    bytes: { maxBlocks: 256, maxTokens: 0 },
    tokens: { maxBlocks: 2048, maxTokens: 131_072 },
  };
const DEFAULT_BLOCK_BYTES = 64;
const DEFAULT_CAPACITY = 31_250;

/** What the cache is when nothing is said about it. */
export function defaultPrefixCache(era: Era): PrefixCacheParameters {
  return cacheOf(DEFAULT_BLOCK_BYTES, DEFAULTS[era], DEFAULT_CAPACITY);
}

/** Decodes the cache's parameters in the spellings of an era; absent ones are llm-d's defaults. */
export function readPrefixCache(
  fields: ReadonlyMap<string, SourceNode> | undefined,
  era: Era,
  notes: ConfigNote[],
): PrefixCacheParameters {
  const autoTune = fields?.get("autoTune");
  if (autoTune !== undefined) noteAutoTune(autoTune, notes);
  const blockBytes = blockBytesOf(fields, era, notes);
  const blocks = fields?.get("maxPrefixBlocksToMatch");
  const tokens = fields?.get("maxPrefixTokensToMatch");
  // Before the token bound there was no way to write "unlimited".
  const maxBlocks = blocks?.integer(era === "bytes" ? 1 : 0) ?? DEFAULTS[era].maxBlocks;
  const maxTokens = tokens?.integer(0) ?? DEFAULTS[era].maxTokens;
  if (tokens !== undefined && maxTokens > 0 && maxTokens * BYTES_PER_TOKEN < blockBytes) {
    tokens.fault(`must be 0 or at least one block, ${blockBytes / BYTES_PER_TOKEN} tokens`);
  }
  if (blocks !== undefined && maxTokens > 0) {
    notes.push({
      message: `maxPrefixBlocksToMatch has no effect: maxPrefixTokensToMatch ${maxTokens} comes first`,
      position: blocks.position,
    });
  }
  const capacity = fields?.get("lruCapacityPerServer")?.integer(1) ?? DEFAULT_CAPACITY;
  return cacheOf(blockBytes, { maxBlocks, maxTokens }, capacity);
}

function cacheOf(
  blockBytes: number,
  { maxBlocks, maxTokens }: { readonly maxBlocks: number; readonly maxTokens: number },
  lruCapacityPerServer: number,
): PrefixCacheParameters {
  const wanted = maxTokens > 0 ? Math.floor((maxTokens * BYTES_PER_TOKEN) / blockBytes) : maxBlocks;
  const maxPrefixBlocksToMatch = wanted === 0 ? BLOCKS_MAX : Math.min(wanted, BLOCKS_MAX);
  return { blockBytes, maxPrefixBlocksToMatch, lruCapacityPerServer };
}

function noteAutoTune(node: SourceNode, notes: ConfigNote[]): void {
  if (typeof node.value !== "boolean") node.fault("must be true or false");
  if (node.value === false) return;
  notes.push({
    message: "autoTune has no effect: block size and capacity are used as given",
    position: node.position,
  });
}

function blockBytesOf(
  fields: ReadonlyMap<string, SourceNode> | undefined,
  era: Era,
  notes: ConfigNote[],
): number {
  const given = Object.entries(BLOCK_SIZE_PARAMETERS).flatMap(([name, unitBytes]) => {
    const node = fields?.get(name);
    return node === undefined ? [] : [{ name, unitBytes, node }];
  });
  const [first, second] = given;
  if (first === undefined) return DEFAULT_BLOCK_BYTES;
  second?.node.fault(`the block size is already given by ${first.name}`);
  const size = first.node.integer(1);
  if (size === undefined) return DEFAULT_BLOCK_BYTES;
  const leastBytes = era === "tokens" ? BLOCK_TOKENS_MIN * BYTES_PER_TOKEN : 1;
  const blockBytes = Math.max(size * first.unitBytes, leastBytes);
  if (first.name !== "hashBlockSize") {
    notes.push({
      message: `${first.name} ${size} is read as blocks of ${blockBytes} bytes`,
      position: first.node.position,
    });
  }
  return blockBytes;
}

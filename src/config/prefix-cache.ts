import { BLOCK_SIZE_PARAMETERS, PREFIX_CACHE_DEFAULTS } from "./compatibility.ts";
import type { ConfigNote } from "./router-config.ts";
import type { SourceNode } from "./source-node.ts";

/** Parameters of the `approx-prefix-cache-producer` in their internal form. */
export interface PrefixCacheParameters {
  readonly blockBytes: number;
  readonly maxPrefixBlocksToMatch: number;
  readonly lruCapacityPerServer: number;
}

const PARAMETERS = [
  ...Object.keys(BLOCK_SIZE_PARAMETERS),
  "maxPrefixBlocksToMatch",
  "lruCapacityPerServer",
  "autoTune",
];

/** Decodes the cache's parameters in any of their spellings; absent ones are llm-d's defaults. */
export function readPrefixCacheParameters(
  node: SourceNode | undefined,
  notes: ConfigNote[],
): PrefixCacheParameters {
  const fields = node?.entries(PARAMETERS);
  const autoTune = fields?.get("autoTune");
  if (autoTune !== undefined) {
    if (typeof autoTune.value !== "boolean") autoTune.fault("must be true or false");
    notes.push({
      message: "autoTune has no effect: block size and capacity are used as given",
      position: autoTune.position,
    });
  }
  const count = (name: "maxPrefixBlocksToMatch" | "lruCapacityPerServer"): number =>
    fields?.get(name)?.integer(1) ?? PREFIX_CACHE_DEFAULTS[name];
  return {
    blockBytes: blockBytesOf(fields, notes),
    maxPrefixBlocksToMatch: count("maxPrefixBlocksToMatch"),
    lruCapacityPerServer: count("lruCapacityPerServer"),
  };
}

function blockBytesOf(
  fields: ReadonlyMap<string, SourceNode> | undefined,
  notes: ConfigNote[],
): number {
  const given = Object.entries(BLOCK_SIZE_PARAMETERS).flatMap(([name, unitBytes]) => {
    const node = fields?.get(name);
    return node === undefined ? [] : [{ name, unitBytes, node }];
  });
  const [first, second] = given;
  if (first === undefined) return PREFIX_CACHE_DEFAULTS.blockBytes;
  second?.node.fault(`the block size is already given by ${first.name}`);
  const size = first.node.integer(1);
  if (size === undefined) return PREFIX_CACHE_DEFAULTS.blockBytes;
  const blockBytes = size * first.unitBytes;
  if (first.name !== "hashBlockSize") {
    notes.push({
      message: `${first.name} ${size} is read as blocks of ${blockBytes} bytes`,
      position: first.node.position,
    });
  }
  return blockBytes;
}

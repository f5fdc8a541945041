import { createHash } from "node:crypto";
import { encode } from "@msgpack/msgpack";
import type { EngineBlockHash, KvEvent } from "../core/kv-event.ts";

/** How vLLM writes events: arrays until early 2026, maps since then. */
export const KV_EVENT_ENCODINGS = ["array", "map"] as const;
export type KvEventEncoding = (typeof KV_EVENT_ENCODINGS)[number];

/** What a payload looks like. */
export interface KvEventShape {
  readonly encoding: KvEventEncoding;
  /** Unsigned numbers of 64 bits instead of digests (vLLM `VLLM_KV_EVENTS_USE_INT_BLOCK_HASHES`). */
  readonly isHashInt: boolean;
}

/** The msgpack payload of a batch, as vLLM's publisher sends it. */
export function encodeKvEvents(
  events: readonly KvEvent[],
  unixSeconds: number,
  shape: KvEventShape,
): Uint8Array {
  const isMap = shape.encoding === "map";
  const written = events.map((event) => {
    const fields = fieldsOf(event, shape);
    return isMap ? fields : Object.values(fields);
  });
  // The last one is the data-parallel rank.
  const batch = isMap
    ? { ts: unixSeconds, events: written, data_parallel_rank: 0 }
    : [unixSeconds, written, 0];
  return encode(batch, { useBigInt64: true });
}

/** vLLM's fields in their order; those that come last and are unset are left out. */
function fieldsOf(event: KvEvent, shape: KvEventShape): Readonly<Record<string, unknown>> {
  const named = (hash: EngineBlockHash): bigint | Uint8Array => nameOf(hash, shape);
  switch (event.kind) {
    case "stored": {
      const { cacheSalt, blockHashes, parentHash, tokenIds, blockTokens } = event;
      return {
        type: "BlockStored",
        block_hashes: blockHashes.map(named),
        parent_block_hash: parentHash === undefined ? null : named(parentHash),
        token_ids: Array.from(tokenIds),
        block_size: blockTokens,
        lora_id: null,
        medium: "GPU",
        lora_name: null,
        ...(cacheSalt !== undefined && {
          extra_keys: blockHashes.map((_, block) => (block === 0 ? [cacheSalt] : null)),
        }),
      };
    }
    case "removed":
      return {
        type: "BlockRemoved",
        block_hashes: event.blockHashes.map(named),
        medium: "GPU",
      };
    case "cleared":
      return { type: "AllBlocksCleared" };
  }
}

/** A block's key of the engine model as a digest of SHA-256's size, or the last 8 bytes of one (vLLM). */
function nameOf(hash: EngineBlockHash, { isHashInt }: KvEventShape): bigint | Uint8Array {
  const digest = createHash("sha256").update(String(hash)).digest();
  return isHashInt ? digest.readBigUInt64BE(24) : digest;
}

import type { EngineBlockHash, KvEvent } from "../core/kv-event.ts";
import { BYTES_PER_TOKEN } from "../core/tokenizer.ts";
import type { KvBlockView, PromptBlocks } from "./block-index.ts";

/** A 64-bit hash as lo,hi words. */
interface Pair {
  readonly lo: number;
  readonly hi: number;
}

/** How the index turns an engine's tokens into the router's own chain; `request/` implements both. */
export interface BlockChaining {
  seed(loraName: string | undefined, cacheSalt: string | undefined): Pair;
  /** Chains full blocks of `bytes` after `parent` into lo,hi pairs. */
  hash(bytes: Uint8Array, blockBytes: number, parent: Pair, out: Uint32Array): number;
}

/** Blocks that an engine holds under one of its names. */
interface NamedBlock extends Pair {
  /** Engines keep several copies of equal blocks under one name. */
  copies: number;
}

/** Blocks of one endpoint: the engine's names for them, and how often each of ours is held. */
interface Holdings {
  readonly blockBytes: number;
  /** Two names may be one key: engines hash a LoRA adapter into the name. */
  readonly blockByEngineHash: Map<EngineBlockHash, NamedBlock>;
  /** Copies under all names, so a key leaves with its last one. */
  readonly copiesByKey: Map<number, number>;
}

/** An engine has at most this many blocks; more means lost removals, and the endpoint starts afresh. */
const BLOCKS_PER_ENDPOINT_MAX = 4_000_000;

/**
 * Which blocks the engines themselves say they hold. The router never uses an engine's hashes as keys:
 * it recomputes its own chain from the tokens, so any engine hash algorithm works.
 */
export class KvEventIndex implements KvBlockView {
  readonly #chaining: BlockChaining;
  readonly #bySlot: (Holdings | undefined)[] = [];

  constructor(chaining: BlockChaining) {
    this.#chaining = chaining;
  }

  isReporting(slot: number): boolean {
    return this.#bySlot[slot] !== undefined;
  }

  /** Number of distinct blocks known for the slot. */
  blockCount(slot: number): number {
    return this.#bySlot[slot]?.copiesByKey.size ?? 0;
  }

  matchRatios(prompt: PromptBlocks, ratioBySlot: Float64Array): void {
    for (let slot = 0; slot < ratioBySlot.length; slot++) {
      const held = this.#bySlot[slot];
      ratioBySlot[slot] = held === undefined ? Number.NaN : matchRatio(held, prompt);
    }
  }

  apply(slot: number, events: readonly KvEvent[]): void {
    for (const event of events) {
      switch (event.kind) {
        case "stored":
          this.#stored(slot, event);
          break;
        case "removed":
          for (const hash of event.blockHashes) this.#removed(slot, hash);
          break;
        case "cleared":
          // It reports, and holds nothing; the block size is known from its next stored event.
          this.#holdings(slot, 0);
          break;
      }
    }
  }

  /** The endpoint is gone or restarted: it reports nothing until its next event. */
  purge(slot: number): void {
    this.#bySlot[slot] = undefined;
  }

  #stored(slot: number, event: Extract<KvEvent, { kind: "stored" }>): void {
    const blockBytes = event.blockTokens * BYTES_PER_TOKEN;
    let held = this.#holdings(slot, blockBytes);
    if (held.blockByEngineHash.size >= BLOCKS_PER_ENDPOINT_MAX) {
      this.purge(slot);
      held = this.#holdings(slot, blockBytes);
    }
    const parent =
      event.parentHash === undefined
        ? this.#chaining.seed(event.loraName, event.cacheSalt)
        : held.blockByEngineHash.get(event.parentHash);
    // A parent that is unknown here was stored before this router listened: its children cannot be placed.
    if (parent === undefined) return;
    const { buffer, byteOffset, byteLength } = event.tokenIds;
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    const keys = new Uint32Array(2 * event.blockHashes.length);
    const count = this.#chaining.hash(bytes, blockBytes, parent, keys);
    for (let block = 0; block < count; block++) {
      const hash = event.blockHashes[block] as EngineBlockHash;
      const lo = keys[2 * block] as number;
      const hi = keys[2 * block + 1] as number;
      const named = held.blockByEngineHash.get(hash) ?? { lo, hi, copies: 0 };
      named.copies++;
      held.blockByEngineHash.set(hash, named);
      const key = keyOf(named.lo, named.hi);
      held.copiesByKey.set(key, (held.copiesByKey.get(key) ?? 0) + 1);
    }
  }

  #removed(slot: number, hash: EngineBlockHash): void {
    const held = this.#bySlot[slot];
    const named = held?.blockByEngineHash.get(hash);
    if (held === undefined || named === undefined) return;
    named.copies--;
    if (named.copies === 0) held.blockByEngineHash.delete(hash);
    const key = keyOf(named.lo, named.hi);
    const copies = (held.copiesByKey.get(key) ?? 1) - 1;
    if (copies > 0) held.copiesByKey.set(key, copies);
    else held.copiesByKey.delete(key);
  }

  #holdings(slot: number, blockBytes: number): Holdings {
    const known = this.#bySlot[slot];
    if (known?.blockBytes === blockBytes) return known;
    // Another block size means another engine configuration: what was held before is void.
    const fresh: Holdings = { blockBytes, blockByEngineHash: new Map(), copiesByKey: new Map() };
    this.#bySlot[slot] = fresh;
    return fresh;
  }
}

function matchRatio(held: Holdings, prompt: PromptBlocks): number {
  if (held.blockBytes === 0) return 0;
  const total = Math.floor(prompt.sizeBytes / held.blockBytes);
  if (total === 0) return 0;
  const { hashes, blockCount } = prompt.blocks(held.blockBytes, total);
  for (let block = 0; block < blockCount; block++) {
    const key = keyOf(hashes[2 * block] as number, hashes[2 * block + 1] as number);
    if (!held.copiesByKey.has(key)) return block / total;
  }
  return 1;
}

/** 53 of the 64 bits: a number as Map key is several times cheaper than a BigInt. */
function keyOf(lo: number, hi: number): number {
  return lo + (hi & 0x1fffff) * 4294967296;
}

import type { KvEvent } from "../core/kv-event.ts";
import { BlockPool, NO_BLOCK } from "./block-pool.ts";
import type { EngineConfig } from "./engine-config.ts";
import { mixKeys, textKey } from "./mix-keys.ts";
import type { Sequence } from "./sequence.ts";

/** Gives blocks to sequences, finds cached prefixes and notes what an index of blocks must hear. */
export class KvCache {
  readonly pool: BlockPool;
  readonly #blockTokens: number;
  readonly #isPrefixCachingEnabled: boolean;
  readonly #isReporting: boolean;
  #events: KvEvent[] = [];
  #evictedKeys: number[] = [];

  constructor(config: EngineConfig) {
    this.#blockTokens = config.blockTokens;
    this.#isPrefixCachingEnabled = config.isPrefixCachingEnabled;
    this.#isReporting = config.isKvEventsEnabled;
    const onEvicted = config.isKvEventsEnabled
      ? (key: number): void => void this.#evictedKeys.push(key)
      : undefined;
    this.pool = new BlockPool(config.blockCount, onEvicted);
  }

  /** Leading full blocks of the sequence that are cached; they are noted in `blocks`, not yet referenced. */
  findPrefix(sequence: Sequence): number {
    if (!this.#isPrefixCachingEnabled) return 0;
    const fullBlocks = Math.floor(sequence.tokenCount / this.#blockTokens);
    for (let index = 0; index < fullBlocks; index++) {
      const block = this.pool.find(this.#keyAt(sequence, index));
      if (block === NO_BLOCK) return index;
      sequence.blocks[index] = block;
    }
    return fullBlocks;
  }

  /** Whether `tokens` tokens have room when the first `prefixBlocks` blocks are shared. */
  hasRoom(sequence: Sequence, prefixBlocks: number, tokens: number): boolean {
    let needed = Math.ceil(tokens / this.#blockTokens) - prefixBlocks;
    // A cached block that nobody references is in the free list and leaves it.
    for (let i = 0; i < prefixBlocks; i++) {
      if (this.pool.isFree(sequence.blocks[i] as number)) needed++;
    }
    return needed <= this.pool.freeCount;
  }

  /** References the prefix that `findPrefix` found. */
  sharePrefix(sequence: Sequence, prefixBlocks: number): void {
    for (let i = 0; i < prefixBlocks; i++) this.pool.share(sequence.blocks[i] as number);
    sequence.blockCount = prefixBlocks;
    sequence.keyedBlocks = prefixBlocks;
  }

  /** Takes blocks until `tokens` tokens have room; false, and nothing taken, when too few are free. */
  grow(sequence: Sequence, tokens: number): boolean {
    const wanted = Math.ceil(tokens / this.#blockTokens);
    if (wanted - sequence.blockCount > this.pool.freeCount) return false;
    for (let index = sequence.blockCount; index < wanted; index++) {
      sequence.blocks[index] = this.pool.take();
      sequence.blockCount++;
    }
    this.#noteEvictions();
    return true;
  }

  /** Makes the full blocks of the first `tokens` tokens findable, as vLLM does when it schedules them. */
  keyFullBlocks(sequence: Sequence, tokens: number): void {
    const from = sequence.keyedBlocks;
    const to = Math.floor(tokens / this.#blockTokens);
    if (!this.#isPrefixCachingEnabled || to <= from) return;
    for (let index = from; index < to; index++) {
      this.pool.setKey(sequence.blocks[index] as number, this.#keyAt(sequence, index));
    }
    sequence.keyedBlocks = to;
    if (this.#isReporting) this.#events.push(this.#stored(sequence, from, to));
  }

  /** Gives back all blocks of the sequence behind the first `keep`. */
  release(sequence: Sequence, keep = 0): void {
    this.pool.release(sequence.blocks, keep, sequence.blockCount);
    sequence.blockCount = 0;
    sequence.keyedBlocks = 0;
    sequence.computed = 0;
  }

  /** Events since the last call, in order. */
  drainEvents(): readonly KvEvent[] {
    const events = this.#events;
    if (events.length > 0) this.#events = [];
    return events;
  }

  /** The prompt's own keys; then keys that no other request derives, since nobody else has these tokens. */
  #keyAt(sequence: Sequence, index: number): number {
    const { prompt, id } = sequence.request;
    if (index < prompt.blockKeys.length) return prompt.blockKeys[index] as number;
    const parent = index === 0 ? 0 : this.pool.keyOf(sequence.blocks[index - 1] as number);
    return mixKeys(parent, textKey(id));
  }

  #stored(sequence: Sequence, from: number, to: number): KvEvent {
    const { cacheSalt } = sequence.request.prompt;
    const hashes = Array.from({ length: to - from }, (_, i) => this.#key(sequence, from + i));
    return {
      kind: "stored",
      blockHashes: hashes,
      parentHash: from === 0 ? undefined : this.#key(sequence, from - 1),
      tokenIds: this.#tokenIds(sequence, from, to),
      blockTokens: this.#blockTokens,
      ...(from === 0 && cacheSalt !== undefined && { cacheSalt }),
    };
  }

  #key(sequence: Sequence, index: number): number {
    return this.pool.keyOf(sequence.blocks[index] as number);
  }

  /** Prompt tokens as given; a generated token's id is drawn from the request and its position. */
  #tokenIds(sequence: Sequence, from: number, to: number): Uint32Array {
    const { prompt, id } = sequence.request;
    const start = from * this.#blockTokens;
    const end = to * this.#blockTokens;
    const known = (prompt.tokenIds as Uint32Array).subarray(start, end);
    if (end <= prompt.tokenCount) return known;
    const tokenIds = new Uint32Array(end - start);
    tokenIds.set(known);
    const stream = textKey(id);
    for (let i = known.length; i < tokenIds.length; i++) tokenIds[i] = mixKeys(stream, start + i);
    return tokenIds;
  }

  #noteEvictions(): void {
    if (this.#evictedKeys.length === 0) return;
    this.#events.push({ kind: "removed", blockHashes: this.#evictedKeys });
    this.#evictedKeys = [];
  }
}

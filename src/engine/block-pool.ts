import { invariant } from "../core/invariant.ts";

/** Stands for no block: vLLM reserves block 0, and here it heads the free list. */
export const NO_BLOCK = 0;

/**
 * vLLM's block pool: blocks 1..blockCount-1 are free in least-recently-used order or referenced. A free
 * block keeps its key, so that it can be found again, until it is taken for something else.
 */
export class BlockPool {
  readonly blockCount: number;
  readonly #onEvicted: ((key: number) => void) | undefined;
  readonly #previous: Int32Array;
  readonly #next: Int32Array;
  readonly #references: Int32Array;
  readonly #keys: Float64Array;
  /** Hash table from key to block: a chain of blocks for each bucket. */
  readonly #buckets: Int32Array;
  readonly #nextInBucket: Int32Array;
  readonly #bucketShift: number;
  #freeCount: number;
  #sharedCount = 0;

  constructor(blockCount: number, onEvicted?: (key: number) => void) {
    invariant(blockCount >= 2 && blockCount < 2 ** 30, `a pool of ${blockCount} blocks`);
    this.blockCount = blockCount;
    this.#onEvicted = onEvicted;
    this.#previous = Int32Array.from({ length: blockCount }, (_, i) => i - 1);
    this.#next = Int32Array.from({ length: blockCount }, (_, i) => i + 1);
    this.#previous[NO_BLOCK] = blockCount - 1;
    this.#next[blockCount - 1] = NO_BLOCK;
    this.#references = new Int32Array(blockCount);
    this.#keys = new Float64Array(blockCount).fill(NO_KEY);
    const bucketBits = Math.ceil(Math.log2(blockCount));
    this.#buckets = new Int32Array(2 ** bucketBits);
    this.#nextInBucket = new Int32Array(blockCount);
    this.#bucketShift = 32 - bucketBits;
    this.#freeCount = blockCount - 1;
  }

  get freeCount(): number {
    return this.#freeCount;
  }

  /** Blocks that somebody references; with `freeCount` they make up all but the reserved one. */
  get usedCount(): number {
    return this.blockCount - 1 - this.#freeCount;
  }

  /** References beyond the first of each block: how many blocks sharing saves. */
  get sharedCount(): number {
    return this.#sharedCount;
  }

  isFree(block: number): boolean {
    return this.#references[block] === 0;
  }

  /** The block that got this key first of those that have it, or NO_BLOCK. */
  find(key: number): number {
    let block = this.#buckets[this.#bucketOf(key)] as number;
    while (block !== NO_BLOCK && this.#keys[block] !== key) {
      block = this.#nextInBucket[block] as number;
    }
    return block;
  }

  /** Key of a block that has one. */
  keyOf(block: number): number {
    return this.#keys[block] as number;
  }

  /** Adds a reference to a block that was found. */
  share(block: number): void {
    if (this.#references[block] === 0) this.#unlink(block);
    else this.#sharedCount++;
    this.#references[block] = (this.#references[block] as number) + 1;
  }

  /** Takes the least recently used free block and forgets its key; NO_BLOCK when none is free. */
  take(): number {
    const block = this.#next[NO_BLOCK] as number;
    if (block === NO_BLOCK) return NO_BLOCK;
    this.#unlink(block);
    this.#references[block] = 1;
    const key = this.#keys[block] as number;
    if (key !== NO_KEY) {
      this.#forget(block, key);
      this.#onEvicted?.(key);
    }
    return block;
  }

  /** Makes a taken block findable. Equal blocks that were computed side by side both stay. */
  setKey(block: number, key: number): void {
    this.#keys[block] = key;
    this.#nextInBucket[block] = NO_BLOCK;
    const bucket = this.#bucketOf(key);
    let last = this.#buckets[bucket] as number;
    if (last === NO_BLOCK) {
      this.#buckets[bucket] = block;
      return;
    }
    while (this.#nextInBucket[last] !== NO_BLOCK) last = this.#nextInBucket[last] as number;
    this.#nextInBucket[last] = block;
  }

  /** Gives back `blocks[from, to)`, the last one first, so that a prompt's tail is evicted before its head. */
  release(blocks: Int32Array, from: number, to: number): void {
    for (let i = to - 1; i >= from; i--) {
      const block = blocks[i] as number;
      const references = (this.#references[block] as number) - 1;
      invariant(references >= 0, "a free block was released");
      this.#references[block] = references;
      if (references === 0) this.#append(block);
      else this.#sharedCount--;
    }
  }

  #unlink(block: number): void {
    const previous = this.#previous[block] as number;
    const next = this.#next[block] as number;
    this.#next[previous] = next;
    this.#previous[next] = previous;
    this.#freeCount--;
  }

  #append(block: number): void {
    const last = this.#previous[NO_BLOCK] as number;
    this.#next[last] = block;
    this.#previous[block] = last;
    this.#next[block] = NO_BLOCK;
    this.#previous[NO_BLOCK] = block;
    this.#freeCount++;
  }

  #forget(block: number, key: number): void {
    this.#keys[block] = NO_KEY;
    const bucket = this.#bucketOf(key);
    const after = this.#nextInBucket[block] as number;
    let at = this.#buckets[bucket] as number;
    if (at === block) {
      this.#buckets[bucket] = after;
      return;
    }
    while (this.#nextInBucket[at] !== block) at = this.#nextInBucket[at] as number;
    this.#nextInBucket[at] = after;
  }

  #bucketOf(key: number): number {
    const mixed = (key | 0) ^ Math.imul((key / 4294967296) | 0, 0x9e3779b1);
    return Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b) >>> this.#bucketShift;
  }
}

/** Keys are not negative. */
const NO_KEY = -1;

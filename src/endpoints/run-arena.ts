import { lowestBit } from "./lowest-bit.ts";
import type { WordSpace } from "./word-space.ts";

/** Free share kept for short searches: one block in seventeen. */
const ROOM = 17 / 16;
/** Holes looked at before the largest of them is taken. */
const HOLES_TRIED = 16;

const LIVE = 0;
const ROVER = 1;
const TAKEN = 2;
const TOP = 3;

/**
 * Block hashes in runs of adjacent blocks. A bitmap says which blocks are taken, so what is given back
 * joins its free neighbours by itself; a search goes on where the last one ended. Zeros are the empty state.
 */
export class RunArena {
  /** lo,hi pairs, signed: unsigned words would be boxed between calls. */
  readonly hashes: Int32Array;
  readonly #used: Int32Array;
  readonly #header: Int32Array;
  readonly #capacity: number;

  /** `blocks` may be live at once. */
  constructor(space: WordSpace, blocks: number) {
    const words = Math.ceil((blocks * ROOM) / 32);
    this.#capacity = 32 * words;
    this.#header = space.take(4);
    this.#used = space.take(words);
    this.hashes = space.take(2 * this.#capacity);
  }

  /** Blocks taken. */
  get liveBlocks(): number {
    return this.#header[LIVE] as number;
  }

  /** Blocks of the last `take`. */
  get takenBlocks(): number {
    return this.#header[TAKEN] as number;
  }

  /**
   * Takes adjacent blocks and returns the first: all that are wanted, or the largest of some holes.
   * `takenBlocks` says how many, none only when no block is free; take the rest by further calls.
   */
  take(wanted: number): number {
    const header = this.#header;
    let start = 0;
    let taken = 0;
    // Without a free block the search for one would not end.
    const free = this.#capacity - this.liveBlocks;
    const most = Math.min(wanted, free);
    let at = header[ROVER] as number;
    for (let hole = 0; hole < HOLES_TRIED && taken < most; hole++) {
      const holeStart = this.#nextFree(at);
      const length = this.#freeLength(holeStart, most);
      if (length > taken) {
        start = holeStart;
        taken = length;
      }
      at = holeStart + length;
    }
    this.#flip(start, taken);
    const end = start + taken;
    header[LIVE] = this.liveBlocks + taken;
    header[ROVER] = end;
    header[TAKEN] = taken;
    if (end > (header[TOP] as number)) header[TOP] = end;
    return start;
  }

  /** Gives back blocks that were taken, in any pieces. */
  give(start: number, blocks: number): void {
    this.#flip(start, blocks);
    this.#header[LIVE] = this.liveBlocks - blocks;
  }

  clear(): void {
    this.#header.fill(0);
    this.#used.fill(0);
  }

  /** Takes over the blocks of a smaller arena, in the same places. */
  follow(smaller: RunArena): void {
    this.#header.set(smaller.#header);
    this.#used.set(smaller.#used);
    // What was never taken stays untouched, so that it costs no memory.
    this.hashes.set(smaller.hashes.subarray(0, 2 * (smaller.#header[TOP] as number)));
  }

  /** First free block at or after `from`, around the end. There is one. */
  #nextFree(from: number): number {
    const used = this.#used;
    let at = from >= this.#capacity ? 0 : from;
    for (;;) {
      const free = ~(used[at >>> 5] as number) >>> (at & 31);
      if (free !== 0) return at + lowestBit(free);
      at = ((at >>> 5) + 1) << 5;
      if (at >= this.#capacity) at = 0;
    }
  }

  /** Free blocks from `start` on, at most `wanted`. */
  #freeLength(start: number, wanted: number): number {
    const used = this.#used;
    const end = Math.min(start + wanted, this.#capacity);
    let at = start;
    while (at < end) {
      const taken = (used[at >>> 5] as number) >>> (at & 31);
      if (taken !== 0) return Math.min(at + lowestBit(taken), end) - start;
      at = ((at >>> 5) + 1) << 5;
    }
    return end - start;
  }

  #flip(start: number, blocks: number): void {
    const used = this.#used;
    const end = start + blocks;
    let at = start;
    while (at < end) {
      const bit = at & 31;
      const count = Math.min(32 - bit, end - at);
      (used[at >>> 5] as number) ^= (-1 >>> (32 - count)) << bit;
      at += count;
    }
  }
}

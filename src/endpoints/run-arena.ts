import { invariant } from "../core/invariant.ts";
import { widened } from "./grown-capacity.ts";
import { lowestBit } from "./lowest-bit.ts";

/** Free share kept for short searches: one block in seventeen. */
const ROOM = 17 / 16;
/** Holes looked at before the largest of them is taken. */
const HOLES_TRIED = 16;
/** Two words a block must stay within the indexes that typed arrays are fast with. */
const BLOCKS_MAX = 2 ** 30;
const BLOCKS_AT_START = 1024;

const LIVE = 0;
const ROVER = 1;
const TAKEN = 2;

/**
 * Block hashes in runs of adjacent blocks. A bitmap says which blocks are taken, so what is given back
 * joins its free neighbours by itself; a search goes on where the last one ended.
 */
export class RunArena {
  /** lo,hi pairs, signed: unsigned words would be boxed between calls. Replaced when the arena grows. */
  hashes: Int32Array<ArrayBuffer> = new Int32Array(2 * BLOCKS_AT_START);
  #used = new Int32Array(BLOCKS_AT_START >>> 5);
  readonly #header = new Int32Array(3);
  #expectedBlocks = 0;

  get sizeBytes(): number {
    return this.hashes.byteLength + this.#used.byteLength + this.#header.byteLength;
  }

  /** Blocks taken. */
  get liveBlocks(): number {
    return this.#header[LIVE] as number;
  }

  /** Blocks of the last `take`. */
  get takenBlocks(): number {
    return this.#header[TAKEN] as number;
  }

  /** Says how many blocks may be live at once, so that doubling ends there. */
  expect(blocks: number): void {
    this.#expectedBlocks = blocks;
  }

  /**
   * Takes adjacent blocks and returns the first: all that are wanted, or the largest of some holes, at
   * least one block. `takenBlocks` says how many; take the rest by further calls.
   */
  take(wanted: number): number {
    if ((this.liveBlocks + wanted) * ROOM > this.#capacity) this.#grow(this.liveBlocks + wanted);
    let start = 0;
    let taken = 0;
    let at = this.#header[ROVER] as number;
    for (let hole = 0; hole < HOLES_TRIED && taken < wanted; hole++) {
      const holeStart = this.#nextFree(at);
      const length = this.#freeLength(holeStart, wanted);
      if (length > taken) {
        start = holeStart;
        taken = length;
      }
      at = holeStart + length;
    }
    this.#flip(start, taken);
    this.#header[LIVE] = this.liveBlocks + taken;
    this.#header[ROVER] = start + taken;
    this.#header[TAKEN] = taken;
    return start;
  }

  /** Gives back blocks that were taken, in any pieces. */
  give(start: number, blocks: number): void {
    this.#flip(start, blocks);
    this.#header[LIVE] = this.liveBlocks - blocks;
  }

  get #capacity(): number {
    return 32 * this.#used.length;
  }

  /** First free block at or after `from`, around the end. There is one, because room is kept. */
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

  #grow(blocks: number): void {
    const capacity = this.#capacity;
    const expected = Math.ceil(this.#expectedBlocks * ROOM);
    // Beyond what was expected it grows by an eighth: endpoints that come one by one must not copy it each.
    const room = Math.max(blocks * ROOM, capacity * 1.125, Math.min(2 * capacity, expected));
    const words = Math.ceil(room / 32);
    invariant(32 * words <= BLOCKS_MAX, `a block index is limited to ${BLOCKS_MAX} blocks`);
    this.hashes = widened(this.hashes, 64 * words);
    this.#used = widened(this.#used, words);
    // The part that was added is one hole, so the search goes on there.
    this.#header[ROVER] = capacity;
  }
}

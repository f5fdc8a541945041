import { FreeIds } from "./free-ids.ts";
import { HashChains } from "./hash-chains.ts";
import { RunArena } from "./run-arena.ts";
import { NONE, SlotSets } from "./slot-sets.ts";
import type { WordSpace } from "./word-space.ts";

/** Where chains begin: the parent of first runs. */
export const ROOT = 0;

/** Upper bounds of what a tree holds. */
export interface TreeBounds {
  readonly slots: number;
  readonly blocks: number;
  readonly runs: number;
  /** Runs that have more than one holder. */
  readonly sets: number;
}

/**
 * Runs of chained block hashes as a tree, and which slots hold each. A run is found by its parent and its
 * first hash. Whoever holds a run holds its parent, so a run that nobody holds has no children.
 */
export class RunTree {
  readonly arena: RunArena;
  readonly runs: FreeIds;
  readonly sets: SlotSets;
  /** First block in the arena; of free runs the next free one. */
  readonly #start: Int32Array;
  readonly #length: Int32Array;
  readonly #parent: Int32Array;
  readonly #holderCount: Int32Array;
  /** The slot of a run's only holder, or the set of its holders. */
  readonly #holders: Int32Array;
  readonly #children: HashChains;
  /** Slots that a walk from the leaf has credited; each thread has its own. */
  readonly #credited: Int32Array;

  constructor(space: WordSpace, { slots, blocks, runs, sets }: TreeBounds) {
    this.arena = new RunArena(space, blocks);
    this.#start = space.take(runs + 1);
    this.#length = space.take(runs + 1);
    this.#parent = space.take(runs + 1);
    this.#holderCount = space.take(runs + 1);
    this.#holders = space.take(runs + 1);
    this.#children = new HashChains(space, runs);
    this.runs = new FreeIds(space, runs, this.#start);
    this.sets = new SlotSets(space, sets, slots);
    this.#credited = new Int32Array(Math.ceil(slots / 32));
  }

  length(run: number): number {
    return this.#length[run] as number;
  }

  holderCount(run: number): number {
    return this.#holderCount[run] as number;
  }

  /** The child run that begins with the signed words, ROOT if there is none. */
  child(parent: number, lo: number, hi: number): number {
    const { hashes } = this.arena;
    let run = this.#children.first(lo);
    while (run !== ROOT) {
      const word = 2 * (this.#start[run] as number);
      if (hashes[word] === lo && hashes[word + 1] === hi && this.#parent[run] === parent) break;
      run = this.#children.next(run);
    }
    return run;
  }

  /**
   * Leading blocks that the run shares with the chain from block `from` on, of which the first is known
   * to be equal. Chained hashes are equal only behind equal prefixes, so the end is found by halving.
   */
  commonBlocks(run: number, chain: Uint32Array, from: number, blocks: number): number {
    const { hashes } = this.arena;
    const start = this.#start[run] as number;
    let equal = 1;
    let most = Math.min(this.length(run), blocks - from);
    let probe = most;
    while (equal < most) {
      const word = 2 * (start + probe - 1);
      const chainWord = 2 * (from + probe - 1);
      const isEqual =
        hashes[word] === ((chain[chainWord] as number) | 0) &&
        hashes[word + 1] === ((chain[chainWord + 1] as number) | 0);
      if (isEqual) equal = probe;
      else most = probe - 1;
      probe = (equal + most + 1) >>> 1;
    }
    return equal;
  }

  /**
   * Adds blocks of the chain as a run that nobody holds yet; a crowded arena takes only the first of them.
   * ROOT when there is no run or block left.
   */
  add(parent: number, chain: Uint32Array, from: number, blocks: number): number {
    if (this.runs.freeCount === 0) return ROOT;
    const start = this.arena.take(blocks - from);
    const length = this.arena.takenBlocks;
    if (length === 0) return ROOT;
    const { hashes } = this.arena;
    for (let word = 0; word < 2 * length; word++) {
      hashes[2 * start + word] = chain[2 * from + word] as number;
    }
    const run = this.runs.take();
    this.#set(run, parent, start, length);
    this.#holderCount[run] = 0;
    return run;
  }

  /**
   * Cuts a run after `blocks` and returns its first part, a run with the same holders. The rest keeps the
   * number, so that its children stay where they are. ROOT, and nothing is cut, when there is no room.
   */
  split(run: number, blocks: number): number {
    const holderCount = this.holderCount(run);
    const isShared = holderCount > 1;
    if (this.runs.freeCount === 0 || (isShared && this.sets.ids.freeCount === 0)) return ROOT;
    const head = this.runs.take();
    const start = this.#start[run] as number;
    const rest = this.length(run) - blocks;
    const parent = this.#parent[run] as number;
    this.#children.remove(this.#firstLo(run), run);
    this.#set(head, parent, start, blocks);
    this.#set(run, head, start + blocks, rest);
    const holders = this.#holders[run] as number;
    this.#holderCount[head] = holderCount;
    this.#holders[head] = isShared ? this.sets.copy(holders) : holders;
    return head;
  }

  /** Keeps the first blocks of a run that has no children. */
  shorten(run: number, blocks: number): void {
    this.arena.give((this.#start[run] as number) + blocks, this.length(run) - blocks);
    this.#length[run] = blocks;
  }

  /** False when it would take a set and there is none left. */
  addHolder(run: number, slot: number): boolean {
    const before = this.holderCount(run);
    if (before === 0) {
      this.#holderCount[run] = 1;
      this.#holders[run] = slot;
      return true;
    }
    if (before === 1) {
      const set = this.sets.take();
      if (set === 0) return false;
      this.sets.add(set, this.#holders[run] as number);
      this.#holders[run] = set;
    }
    this.#holderCount[run] = before + 1;
    this.sets.add(this.#holders[run] as number, slot);
    return true;
  }

  /** The run goes with its last holder. */
  removeHolder(run: number, slot: number): void {
    const left = this.holderCount(run) - 1;
    this.#holderCount[run] = left;
    if (left === 0) {
      this.#children.remove(this.#firstLo(run), run);
      this.arena.give(this.#start[run] as number, this.length(run));
      this.runs.give(run);
      return;
    }
    const set = this.#holders[run] as number;
    this.sets.remove(set, slot);
    if (left > 1) return;
    this.#holders[run] = this.sets.next(set, 0);
    this.sets.give(set);
  }

  /** The first slot from `from` on that holds the run, NONE after the last. */
  nextHolder(run: number, from: number): number {
    const holders = this.#holders[run] as number;
    if (this.holderCount(run) > 1) return this.sets.next(holders, from);
    return holders >= from ? holders : NONE;
  }

  /** Begins to credit the runs of one path, from the leaf to the root. */
  beginCredit(): void {
    this.#credited.fill(0);
  }

  /** Writes `blocks` for the holders of the run that no deeper run has credited. */
  credit(run: number, blocks: number, matchedBySlot: Int32Array): void {
    const holders = this.#holders[run] as number;
    const credited = this.#credited;
    if (this.holderCount(run) > 1) {
      this.sets.writeNew(holders, credited, blocks, matchedBySlot);
      return;
    }
    const bit = 1 << (holders & 31);
    const known = credited[holders >>> 5] as number;
    if ((known & bit) !== 0) return;
    credited[holders >>> 5] = known | bit;
    matchedBySlot[holders] = blocks;
  }

  clear(): void {
    this.arena.clear();
    this.#children.clear();
    this.runs.clear();
    this.sets.ids.clear();
  }

  /** Takes over the runs of a smaller tree under their numbers. */
  follow(smaller: RunTree): void {
    const end = smaller.runs.top + 1;
    this.arena.follow(smaller.arena);
    this.#start.set(smaller.#start.subarray(0, end));
    this.#length.set(smaller.#length.subarray(0, end));
    this.#parent.set(smaller.#parent.subarray(0, end));
    this.#holderCount.set(smaller.#holderCount.subarray(0, end));
    this.#holders.set(smaller.#holders.subarray(0, end));
    this.#children.follow(smaller.#children, (run) => this.#firstLo(run));
    this.runs.follow(smaller.runs);
    this.sets.follow(smaller.sets);
  }

  #firstLo(run: number): number {
    return this.arena.hashes[2 * (this.#start[run] as number)] as number;
  }

  #set(run: number, parent: number, start: number, length: number): void {
    this.#parent[run] = parent;
    this.#start[run] = start;
    this.#length[run] = length;
    this.#children.add(this.#firstLo(run), run);
  }
}

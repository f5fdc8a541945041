import { grownCapacity, widened } from "./grown-capacity.ts";
import { HashChains } from "./hash-chains.ts";
import { RunArena } from "./run-arena.ts";
import { NONE, SlotSets } from "./slot-sets.ts";

/** Where chains begin: the parent of first runs. */
export const ROOT = 0;

const RUNS_AT_START = 127;

/**
 * Runs of chained block hashes as a tree, and which slots hold each. A run is found by its parent and its
 * first hash. Whoever holds a run holds its parent, so a run that nobody holds has no children.
 */
export class RunTree {
  readonly arena: RunArena = new RunArena();
  /** First block in the arena; of free runs the next free one, and entry 0 is their head. */
  #start = new Int32Array(RUNS_AT_START + 1);
  #length = new Int32Array(RUNS_AT_START + 1);
  #parent = new Int32Array(RUNS_AT_START + 1);
  #holderCount = new Int32Array(RUNS_AT_START + 1);
  readonly #children = new HashChains(RUNS_AT_START);
  /** The slot of a run's only holder, or the set of its holders. */
  #holders = new Int32Array(RUNS_AT_START + 1);
  readonly #sets = new SlotSets();
  /** Slots that a walk from the leaf has credited. */
  #credited = new Int32Array(0);

  constructor() {
    this.#freeFrom(1);
  }

  get sizeBytes(): number {
    const own = this.#start.byteLength * 5 + this.#credited.byteLength;
    return own + this.#sets.sizeBytes + this.#children.sizeBytes + this.arena.sizeBytes;
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

  /** Adds blocks of the chain as a run that nobody holds yet; a crowded arena takes only the first of them. */
  add(parent: number, chain: Uint32Array, from: number, blocks: number): number {
    const start = this.arena.take(blocks - from);
    const length = this.arena.takenBlocks;
    const { hashes } = this.arena;
    for (let word = 0; word < 2 * length; word++) {
      hashes[2 * start + word] = chain[2 * from + word] as number;
    }
    const run = this.#take();
    this.#set(run, parent, start, length);
    this.#holderCount[run] = 0;
    return run;
  }

  /**
   * Cuts a run after `blocks` and returns its first part, a run with the same holders. The rest keeps the
   * number, so that its children stay where they are.
   */
  split(run: number, blocks: number): number {
    const head = this.#take();
    const start = this.#start[run] as number;
    const rest = this.length(run) - blocks;
    const parent = this.#parent[run] as number;
    this.#children.remove(this.#firstLo(run), run);
    this.#set(head, parent, start, blocks);
    this.#set(run, head, start + blocks, rest);
    const holderCount = this.holderCount(run);
    const holders = this.#holders[run] as number;
    this.#holderCount[head] = holderCount;
    this.#holders[head] = holderCount === 1 ? holders : this.#sets.copy(holders);
    return head;
  }

  /** Keeps the first blocks of a run that has no children. */
  shorten(run: number, blocks: number): void {
    this.arena.give((this.#start[run] as number) + blocks, this.length(run) - blocks);
    this.#length[run] = blocks;
  }

  addHolder(run: number, slot: number): void {
    const before = this.holderCount(run);
    this.#holderCount[run] = before + 1;
    if (before === 0) {
      this.#holders[run] = slot;
      return;
    }
    if (before === 1) {
      const set = this.#sets.take();
      this.#sets.add(set, this.#holders[run] as number);
      this.#holders[run] = set;
    }
    this.#sets.add(this.#holders[run] as number, slot);
  }

  /** The run goes with its last holder. */
  removeHolder(run: number, slot: number): void {
    const left = this.holderCount(run) - 1;
    this.#holderCount[run] = left;
    if (left === 0) {
      this.#children.remove(this.#firstLo(run), run);
      this.arena.give(this.#start[run] as number, this.length(run));
      this.#give(run);
      return;
    }
    const set = this.#holders[run] as number;
    this.#sets.remove(set, slot);
    if (left > 1) return;
    this.#holders[run] = this.#sets.next(set, 0);
    this.#sets.give(set);
  }

  /** The first slot from `from` on that holds the run, NONE after the last. */
  nextHolder(run: number, from: number): number {
    const holders = this.#holders[run] as number;
    if (this.holderCount(run) > 1) return this.#sets.next(holders, from);
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
      this.#sets.writeNew(holders, credited, blocks, matchedBySlot);
      return;
    }
    const bit = 1 << (holders & 31);
    const known = credited[holders >>> 5] as number;
    if ((known & bit) !== 0) return;
    credited[holders >>> 5] = known | bit;
    matchedBySlot[holders] = blocks;
  }

  /** Makes room for slots below `slotCount`. */
  growSlots(slotCount: number): void {
    this.#sets.growSlots(slotCount);
    this.#credited = new Int32Array(Math.ceil(slotCount / 32));
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

  #take(): number {
    if (this.#start[0] === 0) this.#grow();
    const run = this.#start[0] as number;
    this.#start[0] = this.#start[run] as number;
    return run;
  }

  #give(run: number): void {
    this.#start[run] = this.#start[0] as number;
    this.#start[0] = run;
  }

  #grow(): void {
    const first = this.#start.length;
    const length = grownCapacity(first);
    this.#start = widened(this.#start, length);
    this.#length = widened(this.#length, length);
    this.#parent = widened(this.#parent, length);
    this.#holderCount = widened(this.#holderCount, length);
    this.#holders = widened(this.#holders, length);
    this.#children.grow(length - 1, (run) => this.#firstLo(run));
    this.#freeFrom(first);
  }

  #freeFrom(first: number): void {
    for (let run = this.#start.length - 1; run >= first; run--) this.#give(run);
  }
}

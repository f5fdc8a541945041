import { invariant } from "../core/invariant.ts";
import type { BlockIndex } from "./block-index.ts";
import { grownCapacity, widened } from "./grown-capacity.ts";
import { RunRecords } from "./run-records.ts";
import { ROOT, RunTree } from "./run-tree.ts";
import { NONE } from "./slot-sets.ts";

/** A run of more holders is dropped whole: cutting it would cost each of them a record. */
const HOLDERS_MAX_TO_CUT = 8;

/**
 * A radix tree over runs of block hashes that all slots share, with one order of use a slot. A run's record
 * is always older than its parent's, so eviction takes leaves first and what is left of a chain is a prefix.
 *
 * For each slot: never more than its capacity; of a chain over the capacity the first blocks; and the
 * latest chains whose different blocks fit together are held whole. A run that several slots hold is
 * evicted in larger pieces than needed, at least by half.
 *
 * All state but sizes and scratch is in typed arrays, free lists and header included, so it can move into
 * one SharedArrayBuffer. Arrays grow with what is held and do not shrink; a warm index allocates nothing.
 * A run takes some 30 bytes besides its hashes, 25 for each holder, and a bit for every slot once it has
 * two holders.
 */
export class RadixBlockIndex implements BlockIndex {
  readonly #blocksPerSlot: number;
  readonly #tree = new RunTree();
  readonly #records = new RunRecords();
  /** Blocks held, by slot. */
  #blockCounts = new Int32Array(0);
  #slotCount = 0;
  /** Runs along the chain of the last walk, and the chain's blocks up to the end of each. */
  #path = new Int32Array(256);
  #pathEnds = new Int32Array(256);
  #pathLength = 0;

  constructor(blocksPerEndpoint: number) {
    this.#blocksPerSlot = blocksPerEndpoint;
  }

  get sizeBytes(): number {
    const own = this.#blockCounts.byteLength + this.#path.byteLength + this.#pathEnds.byteLength;
    return own + this.#tree.sizeBytes + this.#records.sizeBytes;
  }

  blockCount(slot: number): number {
    return this.#blockCounts[slot] ?? 0;
  }

  match(hashes: Uint32Array, blocks: number, matchedBySlot: Int32Array): void {
    matchedBySlot.fill(0);
    this.#walk(hashes, blocks);
    this.#tree.beginCredit();
    // From the leaf up, because a holder of a run holds all runs before it: each slot is written once.
    for (let step = this.#pathLength - 1; step >= 0; step--) {
      const end = this.#pathEnds[step] as number;
      this.#tree.credit(this.#path[step] as number, end, matchedBySlot);
    }
  }

  record(hashes: Uint32Array, blocks: number, slot: number): void {
    const wanted = Math.min(blocks, this.#blocksPerSlot);
    if (wanted === 0) return;
    invariant(slot >= 0, "a slot is not negative");
    if (slot >= this.#slotCount) this.#growSlots(slot);
    this.#walk(hashes, wanted);
    this.#cutLastRun();
    let place = this.#records.anchor(slot);
    let step = 0;
    let end = 0;
    for (; step < this.#pathLength; step++) {
      const record = this.#records.find(slot, this.#path[step] as number);
      if (record === 0) break;
      this.#records.moveBehind(place, record);
      place = record;
      end = this.#pathEnds[step] as number;
    }
    // What was just moved to the front is part of the chain, and the chain fits: only others are evicted.
    this.#makeRoom(slot, wanted - end);
    let run = step === 0 ? ROOT : (this.#path[step - 1] as number);
    for (; step < this.#pathLength; step++) {
      run = this.#path[step] as number;
      place = this.#hold(slot, run, place);
      end = this.#pathEnds[step] as number;
    }
    while (end < wanted) {
      run = this.#tree.add(run, hashes, end, wanted);
      place = this.#hold(slot, run, place);
      end += this.#tree.length(run);
    }
  }

  purge(slot: number): void {
    if (this.blockCount(slot) === 0) return;
    for (;;) {
      const record = this.#records.oldest(slot);
      if (record === 0) break;
      this.#drop(record);
    }
    this.#records.removeAnchor(slot);
  }

  /** Follows the chain down the tree; the last run of the path may be shared in part. */
  #walk(hashes: Uint32Array, blocks: number): void {
    if (this.#path.length < blocks) this.#growPath(blocks);
    const tree = this.#tree;
    let run = ROOT;
    let steps = 0;
    let end = 0;
    while (end < blocks) {
      const lo = (hashes[2 * end] as number) | 0;
      const hi = (hashes[2 * end + 1] as number) | 0;
      run = tree.child(run, lo, hi);
      if (run === ROOT) break;
      const common = tree.commonBlocks(run, hashes, end, blocks);
      end += common;
      this.#path[steps] = run;
      this.#pathEnds[steps++] = end;
      if (common < tree.length(run)) break;
    }
    this.#pathLength = steps;
  }

  /** Makes the path end where a run ends, so that its records are those of the chain and of nothing else. */
  #cutLastRun(): void {
    const last = this.#pathLength - 1;
    if (last < 0) return;
    const before = last === 0 ? 0 : (this.#pathEnds[last - 1] as number);
    const common = (this.#pathEnds[last] as number) - before;
    const run = this.#path[last] as number;
    if (common < this.#tree.length(run)) this.#path[last] = this.#split(run, common);
  }

  /** Cuts a run for all its holders and returns the first part. */
  #split(run: number, blocks: number): number {
    const records = this.#records;
    const head = this.#tree.split(run, blocks);
    let slot = this.#tree.nextHolder(head, 0);
    for (; slot !== NONE; slot = this.#tree.nextHolder(head, slot + 1)) {
      const rest = records.find(slot, run);
      records.addBehind(records.newer(rest), slot, head);
    }
    return head;
  }

  #hold(slot: number, run: number, place: number): number {
    this.#tree.addHolder(run, slot);
    (this.#blockCounts[slot] as number) += this.#tree.length(run);
    return this.#records.addBehind(place, slot, run);
  }

  #drop(record: number): void {
    const slot = this.#records.slot(record);
    const run = this.#records.run(record);
    (this.#blockCounts[slot] as number) -= this.#tree.length(run);
    this.#records.remove(record);
    this.#tree.removeHolder(run, slot);
  }

  /** Evicts the slot's oldest blocks until `blocks` more fit. */
  #makeRoom(slot: number, blocks: number): void {
    for (;;) {
      const excess = this.blockCount(slot) + blocks - this.#blocksPerSlot;
      if (excess <= 0) return;
      const record = this.#records.oldest(slot);
      const run = this.#records.run(record);
      const length = this.#tree.length(run);
      const holders = this.#tree.holderCount(run);
      if (excess >= length || holders > HOLDERS_MAX_TO_CUT) {
        this.#drop(record);
      } else if (holders === 1) {
        this.#tree.shorten(run, length - excess);
        (this.#blockCounts[slot] as number) -= excess;
      } else {
        // Halving bounds the pieces that a shared run falls into while its holders evict it.
        this.#split(run, length - Math.max(excess, length >>> 1));
        this.#drop(record);
      }
    }
  }

  #growSlots(slot: number): void {
    this.#slotCount = slot + 1;
    this.#tree.arena.expect(this.#slotCount * this.#blocksPerSlot);
    if (slot < this.#blockCounts.length) return;
    const room = Math.max(slot + 1, grownCapacity(this.#blockCounts.length));
    this.#blockCounts = widened(this.#blockCounts, room);
    this.#records.growSlots(room);
    this.#tree.growSlots(room);
  }

  #growPath(blocks: number): void {
    const room = Math.max(blocks, 2 * this.#path.length);
    this.#path = new Int32Array(room);
    this.#pathEnds = new Int32Array(room);
  }
}

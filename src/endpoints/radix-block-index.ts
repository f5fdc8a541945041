import { invariant } from "../core/invariant.ts";
import type { BlockIndex } from "./block-index.ts";
import {
  BlockIndexMemory,
  type IndexOccupancy,
  indexBuffer,
  indexShape,
  recordReserve,
  recordShare,
  sharedIndexBuffer,
} from "./block-index-memory.ts";
import type { RunRecords } from "./run-records.ts";
import { ROOT, type RunTree } from "./run-tree.ts";
import { NONE } from "./slot-sets.ts";

const SLOTS_AT_START = 16;
/** Records that one prompt may take from other slots, so that no decision waits for long. */
const EVICTIONS_MAX = 1024;
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
 * All state but scratch is in one buffer of a fixed size, for the slots that there are and the blocks that
 * each may hold, so threads can share it under a lock. Nothing is allocated in `match` and `record`, and
 * nothing in them throws: when runs or sets of holders run out, slots above their share give up their
 * oldest, and what still does not fit is not recorded. A private index moves to a larger buffer by itself
 * when a slot beyond it comes; a shared one is moved by its owner.
 */
export class RadixBlockIndex implements BlockIndex {
  /** As configured; a shape may hold less. */
  readonly #blocksPerSlot: number;
  #memory: BlockIndexMemory;
  #tree: RunTree;
  #records: RunRecords;
  #blockCounts: Int32Array;
  #recordShare: number;
  /** Runs along the chain of the last walk, and the chain's blocks up to the end of each. */
  #path = new Int32Array(256);
  #pathEnds = new Int32Array(256);
  #pathLength = 0;

  /** `buffer` is an index that threads share or one that nobody else uses. */
  constructor(
    blocksPerSlot: number,
    buffer: ArrayBufferLike = indexBuffer(indexShape(SLOTS_AT_START, blocksPerSlot)),
  ) {
    this.#blocksPerSlot = blocksPerSlot;
    this.#memory = new BlockIndexMemory(buffer);
    this.#tree = this.#memory.tree;
    this.#records = this.#memory.records;
    this.#blockCounts = this.#memory.blockCounts;
    this.#recordShare = recordShare(this.#memory.shape);
  }

  /** Memory set aside; what was never written of it is not resident. */
  get sizeBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  get occupancy(): IndexOccupancy {
    return this.#memory.occupancy;
  }

  /** What another thread makes its view of the same index from. */
  get buffer(): ArrayBufferLike {
    return this.#memory.buffer;
  }

  blockCount(slot: number): number {
    return this.#blockCounts[slot] ?? 0;
  }

  /** Makes room for slots below `slotCount`. Of a shared index only its owner may, in the lock. */
  grow(slotCount: number): void {
    const { buffer, shape } = this.#memory;
    if (slotCount <= shape.slots) return;
    // A quarter more keeps copying amortised and little address space unused.
    const slots = Math.max(slotCount, shape.slots + Math.max(64, shape.slots >>> 2));
    const wider = indexShape(slots, this.#blocksPerSlot);
    const isShared = buffer instanceof SharedArrayBuffer;
    const memory = new BlockIndexMemory(isShared ? sharedIndexBuffer(wider) : indexBuffer(wider));
    memory.follow(this.#memory);
    this.#use(memory);
  }

  /** Goes on in the buffer that the owner of a shared index moved it to. */
  moveTo(buffer: SharedArrayBuffer): void {
    this.#use(new BlockIndexMemory(buffer));
  }

  /** Forgets everything, whatever state the memory is in. */
  clear(): void {
    this.#memory.clear();
  }

  match(hashes: Uint32Array, blocks: number, matchedBySlot: Int32Array): void {
    matchedBySlot.fill(0);
    if (this.#memory.isRetired) return;
    this.#memory.mend();
    this.#walk(hashes, blocks);
    this.#tree.beginCredit();
    // From the leaf up, because a holder of a run holds all runs before it: each slot is written once.
    for (let step = this.#pathLength - 1; step >= 0; step--) {
      const end = this.#pathEnds[step] as number;
      this.#tree.credit(this.#path[step] as number, end, matchedBySlot);
    }
  }

  record(hashes: Uint32Array, blocks: number, slot: number): void {
    invariant(slot >= 0, "a slot is not negative");
    const most = Math.min(blocks, this.#memory.shape.blocksPerSlot);
    if (most === 0 || !this.#reach(slot)) return;
    this.#memory.beginChange();
    this.#put(hashes, most, slot);
    this.#memory.endChange();
  }

  purge(slot: number): void {
    if (slot >= this.#memory.shape.slots) return;
    this.#memory.beginChange();
    for (;;) {
      const record = this.#records.oldest(slot);
      if (record === 0) break;
      this.#drop(record);
    }
    this.#records.removeAnchor(slot);
    this.#memory.endChange();
  }

  /** Makes the slot hold the first `most` blocks, or as many of them as there is room for. */
  #put(hashes: Uint32Array, most: number, slot: number): void {
    this.#makeRecordRoom(most);
    this.#walk(hashes, most);
    const wanted = this.#cutLastRun() ? most : this.#pathEnd();
    let place = this.#records.anchor(slot);
    if (place === 0) return;
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
      if (place === 0) return;
      end = this.#pathEnds[step] as number;
    }
    while (end < wanted && this.#records.ids.freeCount > 0) {
      run = this.#tree.add(run, hashes, end, wanted);
      if (run === ROOT) return;
      place = this.#hold(slot, run, place);
      end += this.#tree.length(run);
    }
  }

  #use(memory: BlockIndexMemory): void {
    this.#memory = memory;
    this.#tree = memory.tree;
    this.#records = memory.records;
    this.#blockCounts = memory.blockCounts;
    this.#recordShare = recordShare(memory.shape);
  }

  /** Whether there is room for the slot, which a private index makes. */
  #reach(slot: number): boolean {
    const { shape, buffer, isRetired } = this.#memory;
    if (slot >= shape.slots && buffer instanceof ArrayBuffer) this.grow(slot + 1);
    return slot < this.#memory.shape.slots && !isRetired;
  }

  /** Evicts from slots above their share until one prompt finds records and sets. */
  #makeRecordRoom(blocks: number): void {
    const records = recordReserve(this.#memory.shape, blocks);
    // One set for each run of the path, and for the two that may be cut.
    const sets = blocks + 2;
    for (let evictions = 0; evictions < EVICTIONS_MAX; evictions++) {
      const isEnough = this.#records.ids.freeCount >= records;
      if (isEnough && this.#tree.sets.ids.freeCount >= sets) return;
      const slot = this.#slotAboveShare();
      if (slot === NONE) return;
      this.#drop(this.#records.oldest(slot));
    }
  }

  /** One slot after the other is taken down to its share. */
  #slotAboveShare(): number {
    const { slots } = this.#memory.shape;
    let slot = this.#memory.victim;
    for (let tried = 0; tried < slots; tried++) {
      if (this.#records.count(slot) > this.#recordShare) {
        this.#memory.victim = slot;
        return slot;
      }
      slot = slot + 1 === slots ? 0 : slot + 1;
    }
    return NONE;
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

  /**
   * Makes the path end where a run ends, so that its records are those of the chain and of nothing else.
   * False when there is no room to cut: the path ends before that run, and nothing may go on from there.
   */
  #cutLastRun(): boolean {
    const last = this.#pathLength - 1;
    if (last < 0) return true;
    const before = last === 0 ? 0 : (this.#pathEnds[last - 1] as number);
    const common = (this.#pathEnds[last] as number) - before;
    const run = this.#path[last] as number;
    if (common === this.#tree.length(run)) return true;
    const head = this.#split(run, common);
    if (head === ROOT) this.#pathLength = last;
    else this.#path[last] = head;
    return head !== ROOT;
  }

  /** Blocks of the chain that the path covers. */
  #pathEnd(): number {
    return this.#pathLength === 0 ? 0 : (this.#pathEnds[this.#pathLength - 1] as number);
  }

  /** Cuts a run for all its holders and returns the first part, ROOT when there is no room to. */
  #split(run: number, blocks: number): number {
    const records = this.#records;
    if (records.ids.freeCount < this.#tree.holderCount(run)) return ROOT;
    const head = this.#tree.split(run, blocks);
    if (head === ROOT) return ROOT;
    let slot = this.#tree.nextHolder(head, 0);
    for (; slot !== NONE; slot = this.#tree.nextHolder(head, slot + 1)) {
      const rest = records.find(slot, run);
      records.addBehind(records.newer(rest), slot, head);
    }
    return head;
  }

  /** The record by which the slot holds the run, 0 when there is no room for it. */
  #hold(slot: number, run: number, place: number): number {
    if (this.#records.ids.freeCount === 0 || !this.#tree.addHolder(run, slot)) return 0;
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
    const capacity = this.#memory.shape.blocksPerSlot;
    for (;;) {
      const excess = this.blockCount(slot) + blocks - capacity;
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
        // Halving bounds the pieces that a shared run falls into while its holders evict it. Cut or not,
        // the record is that of the end of the run.
        this.#split(run, length - Math.max(excess, length >>> 1));
        this.#drop(record);
      }
    }
  }

  #growPath(blocks: number): void {
    const room = Math.max(blocks, 2 * this.#path.length);
    this.#path = new Int32Array(room);
    this.#pathEnds = new Int32Array(room);
  }
}

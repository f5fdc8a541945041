import { FreeIds } from "./free-ids.ts";
import { HashChains } from "./hash-chains.ts";
import type { WordSpace } from "./word-space.ts";

/**
 * Which slot holds which run, each slot's runs in order of use. A slot's order is a ring through its
 * anchor: the newest record is behind the anchor, the oldest before it. Record 0 is none.
 */
export class RunRecords {
  readonly ids: FreeIds;
  readonly #slot: Int32Array;
  readonly #run: Int32Array;
  readonly #newer: Int32Array;
  /** Of free records the next free one. */
  readonly #older: Int32Array;
  readonly #chains: HashChains;
  /** Anchor by slot, 0 for a slot that holds nothing. */
  readonly #anchors: Int32Array;
  /** Records by slot, without its anchor. */
  readonly #counts: Int32Array;

  /** `records` are records and anchors. */
  constructor(space: WordSpace, records: number, slots: number) {
    this.#slot = space.take(records + 1);
    this.#run = space.take(records + 1);
    this.#newer = space.take(records + 1);
    this.#older = space.take(records + 1);
    this.#chains = new HashChains(space, records);
    this.ids = new FreeIds(space, records, this.#older);
    this.#anchors = space.take(slots);
    this.#counts = space.take(slots);
  }

  count(slot: number): number {
    return this.#counts[slot] as number;
  }

  /** The place before the slot's newest record; 0 when there is no record left for it. */
  anchor(slot: number): number {
    const known = this.#anchors[slot] as number;
    if (known !== 0) return known;
    const anchor = this.ids.take();
    if (anchor === 0) return 0;
    this.#newer[anchor] = anchor;
    this.#older[anchor] = anchor;
    this.#anchors[slot] = anchor;
    return anchor;
  }

  /** The slot's least recently used record, 0 when it holds nothing. */
  oldest(slot: number): number {
    const anchor = this.#anchors[slot] as number;
    const oldest = this.#newer[anchor] as number;
    return anchor === 0 || oldest === anchor ? 0 : oldest;
  }

  /** The record of the slot for the run, 0 if there is none. */
  find(slot: number, run: number): number {
    let record = this.#chains.first(hashOf(slot, run));
    while (record !== 0 && (this.#run[record] !== run || this.#slot[record] !== slot)) {
      record = this.#chains.next(record);
    }
    return record;
  }

  slot(record: number): number {
    return this.#slot[record] as number;
  }

  run(record: number): number {
    return this.#run[record] as number;
  }

  /** The next more recent record or the anchor. */
  newer(record: number): number {
    return this.#newer[record] as number;
  }

  /**
   * Makes a record that is just less recent than `place`, a record or the anchor of the same slot; there
   * must be a free one.
   */
  addBehind(place: number, slot: number, run: number): number {
    const record = this.ids.take();
    (this.#counts[slot] as number) += 1;
    this.#slot[record] = slot;
    this.#run[record] = run;
    this.#chains.add(hashOf(slot, run), record);
    this.#linkBehind(place, record);
    return record;
  }

  moveBehind(place: number, record: number): void {
    this.#unlink(record);
    this.#linkBehind(place, record);
  }

  remove(record: number): void {
    const slot = this.slot(record);
    this.#unlink(record);
    this.#chains.remove(hashOf(slot, this.run(record)), record);
    this.ids.give(record);
    (this.#counts[slot] as number) -= 1;
  }

  /** Gives up the anchor of a slot without records, if it has one. */
  removeAnchor(slot: number): void {
    const anchor = this.#anchors[slot] as number;
    if (anchor === 0) return;
    this.ids.give(anchor);
    this.#anchors[slot] = 0;
  }

  clear(): void {
    this.ids.clear();
    this.#chains.clear();
    this.#anchors.fill(0);
    this.#counts.fill(0);
  }

  /** Takes over fewer records of fewer slots under their numbers. */
  follow(smaller: RunRecords): void {
    const end = smaller.ids.top + 1;
    this.#slot.set(smaller.#slot.subarray(0, end));
    this.#run.set(smaller.#run.subarray(0, end));
    this.#newer.set(smaller.#newer.subarray(0, end));
    this.#older.set(smaller.#older.subarray(0, end));
    this.#chains.follow(smaller.#chains, (record) => hashOf(this.slot(record), this.run(record)));
    this.ids.follow(smaller.ids);
    this.#anchors.set(smaller.#anchors);
    this.#counts.set(smaller.#counts);
  }

  #linkBehind(place: number, record: number): void {
    const older = this.#older[place] as number;
    this.#older[place] = record;
    this.#newer[record] = place;
    this.#older[record] = older;
    this.#newer[older] = record;
  }

  #unlink(record: number): void {
    const newer = this.#newer[record] as number;
    const older = this.#older[record] as number;
    this.#older[newer] = older;
    this.#newer[older] = newer;
  }
}

function hashOf(slot: number, run: number): number {
  const mixed = Math.imul(run, 0x9e3779b1) ^ Math.imul(slot, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}

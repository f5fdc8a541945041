import { grownCapacity, widened } from "./grown-capacity.ts";
import { HashChains } from "./hash-chains.ts";

const RECORDS_AT_START = 255;

/**
 * Which slot holds which run, each slot's runs in order of use. A slot's order is a ring through its
 * anchor: the newest record is behind the anchor, the oldest before it. Record 0 is none.
 */
export class RunRecords {
  #slot = new Int32Array(RECORDS_AT_START + 1);
  #run = new Int32Array(RECORDS_AT_START + 1);
  #newer = new Int32Array(RECORDS_AT_START + 1);
  /** Of free records the next free one; entry 0 is their head. */
  #older = new Int32Array(RECORDS_AT_START + 1);
  readonly #chains = new HashChains(RECORDS_AT_START);
  /** Anchor by slot, 0 for a slot that holds nothing. */
  #anchors = new Int32Array(0);

  constructor() {
    this.#freeFrom(1);
  }

  get sizeBytes(): number {
    const fields = this.#slot.byteLength * 4;
    return fields + this.#anchors.byteLength + this.#chains.sizeBytes;
  }

  /** Makes room for slots below `slotCount`. */
  growSlots(slotCount: number): void {
    this.#anchors = widened(this.#anchors, slotCount);
  }

  /** The place before the slot's newest record. */
  anchor(slot: number): number {
    const known = this.#anchors[slot] as number;
    if (known !== 0) return known;
    const anchor = this.#take();
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

  /** Makes a record that is just less recent than `place`, a record or the anchor of the same slot. */
  addBehind(place: number, slot: number, run: number): number {
    const record = this.#take();
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
    this.#unlink(record);
    this.#chains.remove(hashOf(this.slot(record), this.run(record)), record);
    this.#give(record);
  }

  /** Gives up the anchor of a slot without records. */
  removeAnchor(slot: number): void {
    this.#give(this.#anchors[slot] as number);
    this.#anchors[slot] = 0;
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

  #take(): number {
    if (this.#older[0] === 0) this.#grow();
    const record = this.#older[0] as number;
    this.#older[0] = this.#older[record] as number;
    return record;
  }

  #give(record: number): void {
    this.#older[record] = this.#older[0] as number;
    this.#older[0] = record;
  }

  #grow(): void {
    const first = this.#older.length;
    const length = grownCapacity(first);
    this.#slot = widened(this.#slot, length);
    this.#run = widened(this.#run, length);
    this.#newer = widened(this.#newer, length);
    this.#older = widened(this.#older, length);
    this.#chains.grow(length - 1, (record) => hashOf(this.slot(record), this.run(record)));
    this.#freeFrom(first);
  }

  #freeFrom(first: number): void {
    for (let record = this.#older.length - 1; record >= first; record--) this.#give(record);
  }
}

function hashOf(slot: number, run: number): number {
  const mixed = Math.imul(run, 0x9e3779b1) ^ Math.imul(slot, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}

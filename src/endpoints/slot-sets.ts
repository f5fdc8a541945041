import { FreeIds } from "./free-ids.ts";
import { lowestBit } from "./lowest-bit.ts";
import type { WordSpace } from "./word-space.ts";

/** No slot. */
export const NONE = -1;

/** Sets of slots, a bit a slot. Set 0 is none. */
export class SlotSets {
  readonly ids: FreeIds;
  /** Words of a set. */
  readonly #words: number;
  readonly #bits: Int32Array;

  constructor(space: WordSpace, sets: number, slots: number) {
    this.#words = Math.ceil(slots / 32);
    this.#bits = space.take((sets + 1) * this.#words);
    this.ids = new FreeIds(space, sets, this.#bits, this.#words);
  }

  /** A set that is empty; 0 when there is none left. */
  take(): number {
    const set = this.ids.take();
    const start = set * this.#words;
    for (let word = start; word < start + this.#words; word++) this.#bits[word] = 0;
    return set;
  }

  /** A set that holds the same slots; 0 when there is none left. */
  copy(set: number): number {
    const other = this.take();
    if (other === 0) return 0;
    const from = set * this.#words;
    const to = other * this.#words;
    for (let word = 0; word < this.#words; word++) {
      this.#bits[to + word] = this.#bits[from + word] as number;
    }
    return other;
  }

  give(set: number): void {
    this.ids.give(set);
  }

  add(set: number, slot: number): void {
    (this.#bits[set * this.#words + (slot >>> 5)] as number) |= 1 << (slot & 31);
  }

  remove(set: number, slot: number): void {
    (this.#bits[set * this.#words + (slot >>> 5)] as number) &= ~(1 << (slot & 31));
  }

  /** The first slot of the set from `from` on, NONE after the last. */
  next(set: number, from: number): number {
    const start = set * this.#words;
    for (let slot = from; slot < 32 * this.#words; slot = ((slot >>> 5) + 1) << 5) {
      const bits = (this.#bits[start + (slot >>> 5)] as number) >>> (slot & 31);
      if (bits !== 0) return slot + lowestBit(bits);
    }
    return NONE;
  }

  /** Writes `value` for the slots of the set that are not yet in `done`, and puts them there. */
  writeNew(set: number, done: Int32Array, value: number, valueBySlot: Int32Array): void {
    const all = this.#bits;
    const start = set * this.#words;
    for (let word = 0; word < this.#words; word++) {
      const known = done[word] as number;
      let bits = (all[start + word] as number) & ~known;
      if (bits === 0) continue;
      done[word] = known | bits;
      for (; bits !== 0; bits &= bits - 1) valueBySlot[32 * word + lowestBit(bits)] = value;
    }
  }

  /** Takes over fewer sets of fewer slots. */
  follow(smaller: SlotSets): void {
    const words = smaller.#words;
    for (let set = 0; set <= smaller.ids.top; set++) {
      const held = smaller.#bits.subarray(set * words, (set + 1) * words);
      this.#bits.set(held, set * this.#words);
    }
    this.ids.follow(smaller.ids);
  }
}

import { grownCapacity, widened } from "./grown-capacity.ts";
import { lowestBit } from "./lowest-bit.ts";

/** No slot. */
export const NONE = -1;

const SETS_AT_START = 64;

/** Sets of slots, a bit a slot. Set 0 is none. */
export class SlotSets {
  /** `#words` words a set; the first word of a free one is the next free one, and set 0 is their head. */
  #bits = new Int32Array(0);
  #words = 0;
  #capacity = 0;

  get sizeBytes(): number {
    return this.#bits.byteLength;
  }

  /** Makes room for slots below `slotCount`. */
  growSlots(slotCount: number): void {
    const words = Math.ceil(slotCount / 32);
    const wider = new Int32Array(Math.max(SETS_AT_START, this.#capacity) * words);
    for (let set = 0; set < this.#capacity; set++) {
      for (let word = 0; word < this.#words; word++) {
        wider[set * words + word] = this.#bits[set * this.#words + word] as number;
      }
    }
    this.#bits = wider;
    this.#words = words;
    if (this.#capacity > 0) return;
    this.#capacity = SETS_AT_START;
    this.#freeFrom(1);
  }

  /** A set that is empty. */
  take(): number {
    if (this.#bits[0] === 0) this.#grow();
    const set = this.#bits[0] as number;
    this.#bits[0] = this.#bits[set * this.#words] as number;
    this.#bits.fill(0, set * this.#words, (set + 1) * this.#words);
    return set;
  }

  /** A set that holds the same slots. */
  copy(set: number): number {
    const other = this.take();
    const from = set * this.#words;
    this.#bits.copyWithin(other * this.#words, from, from + this.#words);
    return other;
  }

  give(set: number): void {
    this.#bits[set * this.#words] = this.#bits[0] as number;
    this.#bits[0] = set;
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

  #grow(): void {
    const first = this.#capacity;
    this.#capacity = grownCapacity(first);
    this.#bits = widened(this.#bits, this.#capacity * this.#words);
    this.#freeFrom(first);
  }

  #freeFrom(first: number): void {
    for (let set = this.#capacity - 1; set >= first; set--) this.give(set);
  }
}

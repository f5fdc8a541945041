import type { HashPair } from "./block-hasher.ts";

/** XXH64 with seed 0; words of 32 bits instead of BigInt. Instances keep scratch and may be used again. */
export class Xxh64 {
  /** Lanes of a long input, lo and hi of each. */
  readonly #lanes = new Uint32Array(8);
  /** The word that is being mixed. */
  #lo = 0;
  #hi = 0;

  /** Hash of `bytes[0, length)`. */
  digest(bytes: Uint8Array, length: number): HashPair {
    let at = 0;
    if (length >= 32) {
      at = this.#stripes(bytes, length);
    } else {
      this.#lo = P5[0];
      this.#hi = P5[1];
    }
    this.#add(length >>> 0, Math.floor(length / WORD));
    return this.#finish(bytes, at, length);
  }

  /** Mixes all whole stripes of 32 bytes and returns where they end. */
  #stripes(bytes: Uint8Array, length: number): number {
    const lanes = this.#lanes;
    // P1 + P2, P2, 0 and −P1.
    lanes.set(LANES_AT_START);
    let at = 0;
    for (; at + 32 <= length; at += 32) {
      for (let lane = 0; lane < 4; lane++) {
        this.#load(lane);
        this.#round(wordAt(bytes, at + 8 * lane), wordAt(bytes, at + 8 * lane + 4));
        lanes[2 * lane] = this.#lo;
        lanes[2 * lane + 1] = this.#hi;
      }
    }
    let lo = 0;
    let hi = 0;
    for (let lane = 0; lane < 4; lane++) {
      this.#load(lane);
      this.#rotate(ROTATIONS[lane] as number);
      const sum = lo + this.#lo;
      hi = (hi + this.#hi + (sum >= WORD ? 1 : 0)) >>> 0;
      lo = sum >>> 0;
    }
    for (let lane = 0; lane < 4; lane++) {
      this.#lo = 0;
      this.#hi = 0;
      this.#round(lanes[2 * lane] as number, lanes[2 * lane + 1] as number);
      this.#lo = (this.#lo ^ lo) >>> 0;
      this.#hi = (this.#hi ^ hi) >>> 0;
      this.#multiply(P1);
      this.#add(P4[0], P4[1]);
      lo = this.#lo;
      hi = this.#hi;
    }
    this.#lo = lo;
    this.#hi = hi;
    return at;
  }

  #finish(bytes: Uint8Array, from: number, length: number): HashPair {
    let at = from;
    for (; at + 8 <= length; at += 8) {
      const [lo, hi] = [this.#lo, this.#hi];
      this.#lo = 0;
      this.#hi = 0;
      this.#round(wordAt(bytes, at), wordAt(bytes, at + 4));
      this.#lo = (this.#lo ^ lo) >>> 0;
      this.#hi = (this.#hi ^ hi) >>> 0;
      this.#rotate(27);
      this.#multiply(P1);
      this.#add(P4[0], P4[1]);
    }
    if (at + 4 <= length) {
      this.#xorProduct(wordAt(bytes, at), P1);
      this.#rotate(23);
      this.#multiply(P2);
      this.#add(P3[0], P3[1]);
      at += 4;
    }
    for (; at < length; at++) {
      this.#xorProduct(bytes[at] as number, P5);
      this.#rotate(11);
      this.#multiply(P1);
    }
    this.#lo = (this.#lo ^ (this.#hi >>> 1)) >>> 0;
    this.#multiply(P2);
    const shifted = ((this.#hi << 3) | (this.#lo >>> 29)) >>> 0;
    this.#lo = (this.#lo ^ shifted) >>> 0;
    this.#hi = (this.#hi ^ (this.#hi >>> 29)) >>> 0;
    this.#multiply(P3);
    return { lo: (this.#lo ^ this.#hi) >>> 0, hi: this.#hi };
  }

  #load(lane: number): void {
    this.#lo = this.#lanes[2 * lane] as number;
    this.#hi = this.#lanes[2 * lane + 1] as number;
  }

  /** acc = rotl(acc + input × P2, 31) × P1. */
  #round(lo: number, hi: number): void {
    const accLo = this.#lo;
    const accHi = this.#hi;
    this.#lo = lo;
    this.#hi = hi;
    this.#multiply(P2);
    this.#add(accLo, accHi);
    this.#rotate(31);
    this.#multiply(P1);
  }

  /** Word ^= value × prime, of a value below 2^32. */
  #xorProduct(value: number, prime: Prime): void {
    const { lo, hi } = { lo: this.#lo, hi: this.#hi };
    this.#lo = value;
    this.#hi = 0;
    this.#multiply(prime);
    this.#lo = (this.#lo ^ lo) >>> 0;
    this.#hi = (this.#hi ^ hi) >>> 0;
  }

  #add(lo: number, hi: number): void {
    const sum = this.#lo + lo;
    this.#hi = (this.#hi + hi + (sum >= WORD ? 1 : 0)) >>> 0;
    this.#lo = sum >>> 0;
  }

  #rotate(bits: number): void {
    const lo = this.#lo;
    const hi = this.#hi;
    this.#lo = ((lo << bits) | (hi >>> (32 - bits))) >>> 0;
    this.#hi = ((hi << bits) | (lo >>> (32 - bits))) >>> 0;
  }

  #multiply([lo, hi]: Prime): void {
    const a = this.#lo;
    const high = Math.imul(this.#hi, lo) + Math.imul(a, hi) + highWord(a, lo);
    this.#lo = Math.imul(a, lo) >>> 0;
    this.#hi = high >>> 0;
  }
}

/** A 64-bit prime as lo and hi. */
type Prime = readonly [lo: number, hi: number];

const WORD = 4294967296;
const P1: Prime = [0x85ebca87, 0x9e3779b1];
const P2: Prime = [0x27d4eb4f, 0xc2b2ae3d];
const P3: Prime = [0x9e3779f9, 0x165667b1];
const P4: Prime = [0xc2b2ae63, 0x85ebca77];
const P5: Prime = [0x165667c5, 0x27d4eb2f];
const LANES_AT_START = [0xadc0b5d6, 0x60ea27ee, P2[0], P2[1], 0, 0, 0x7a143579, 0x61c8864e];
const ROTATIONS = [1, 7, 12, 18];

/** High word of the product of two 32-bit words. */
function highWord(a: number, b: number): number {
  const low = (a & 0xffff) * (b & 0xffff);
  const mid1 = (a >>> 16) * (b & 0xffff) + (low >>> 16);
  const mid2 = (a & 0xffff) * (b >>> 16) + (mid1 & 0xffff);
  return (a >>> 16) * (b >>> 16) + Math.floor(mid1 / 65536) + Math.floor(mid2 / 65536);
}

/** Little-endian word, unsigned. */
export function wordAt(bytes: Uint8Array, at: number): number {
  const word =
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24);
  return word >>> 0;
}

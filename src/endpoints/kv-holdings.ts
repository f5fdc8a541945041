import { PairIndex } from "./pair-index.ts";

/** Where an engine keeps a block; fetching from another medium costs more than from the GPU. */
export const TIERS = ["gpu", "cpu"] as const;
export type Tier = (typeof TIERS)[number];

/** What a block counts in each medium (llm-d: gpu 1.0, cpu 0.8, unknown 1.0). */
const TIER_WEIGHTS: readonly number[] = [1, 0.8];
const CPU = 1;

/**
 * Blocks of one endpoint in flat arrays: what the engine calls them, and how often each key is held where.
 * Two names may be one key, and an engine keeps several copies of a block under one name, so a key leaves
 * with its last copy.
 */
export class KvHoldings {
  readonly #names = new PairIndex();
  readonly #keys = new PairIndex();
  /** By the name's number: its key's number, then copies in each tier. */
  #nameColumns = new Int32Array(0);
  /** By the key's number: copies in each tier under all names. */
  #copies = new Int32Array(0);
  /** By the key's number: until when it counts as held although no engine said so. */
  #creditedUntilMs = new Float64Array(0);

  /** Names that the engine holds. */
  get nameCount(): number {
    return this.#names.count;
  }

  /** Distinct keys, credited ones among them. */
  get keyCount(): number {
    return this.#keys.count;
  }

  get sizeBytes(): number {
    const own =
      this.#nameColumns.byteLength + this.#copies.byteLength + this.#creditedUntilMs.byteLength;
    return own + this.#names.sizeBytes + this.#keys.sizeBytes;
  }

  /** Number of an engine's name, 0 when it holds nothing under it. */
  name(lo: number, hi: number): number {
    return this.#names.find(lo, hi);
  }

  keyLo(name: number): number {
    return this.#keys.lo(this.#nameColumns[3 * name] as number);
  }

  keyHi(name: number): number {
    return this.#keys.hi(this.#nameColumns[3 * name] as number);
  }

  /** Adds a copy of a known name. */
  addCopy(name: number, tier: Tier): void {
    const at = TIERS.indexOf(tier);
    const key = this.#nameColumns[3 * name] as number;
    (this.#nameColumns[3 * name + 1 + at] as number)++;
    (this.#copies[2 * key + at] as number)++;
    // The engine says itself what it holds: its removal must not be outlived by a credit.
    this.#creditedUntilMs[key] = 0;
  }

  /** Adds a copy under a name that may be new; a known one keeps its key. */
  store(name: { lo: number; hi: number }, keyLo: number, keyHi: number, tier: Tier): void {
    let id = this.#names.find(name.lo, name.hi);
    if (id === 0) {
      id = this.#names.add(name.lo, name.hi);
      this.#widenNames();
      this.#nameColumns[3 * id] = this.#keyFor(keyLo, keyHi);
      this.#nameColumns.fill(0, 3 * id + 1, 3 * id + 3);
    }
    this.addCopy(id, tier);
  }

  /** Takes one copy away; an unknown name, or one without a copy in the tier, is left as it is. */
  remove(lo: number, hi: number, tier: Tier): void {
    const name = this.#names.find(lo, hi);
    const at = TIERS.indexOf(tier);
    if (name === 0 || this.#nameColumns[3 * name + 1 + at] === 0) return;
    const key = this.#nameColumns[3 * name] as number;
    (this.#nameColumns[3 * name + 1 + at] as number)--;
    (this.#copies[2 * key + at] as number)--;
    if (this.#nameColumns[3 * name + 1] === 0 && this.#nameColumns[3 * name + 2] === 0) {
      this.#names.remove(name);
    }
    if (!this.#hasCopies(key)) {
      this.#creditedUntilMs[key] = 0;
      this.#keys.remove(key);
    }
  }

  /** Counts a key as held for a while; one that the engine holds needs no credit. */
  credit(lo: number, hi: number, untilMs: number): void {
    const key = this.#keyFor(lo, hi);
    if (this.#hasCopies(key)) return;
    this.#creditedUntilMs[key] = Math.max(untilMs, this.#creditedUntilMs[key] as number);
  }

  /** Forgets a key whose credit ended and that no engine confirmed. */
  expire(lo: number, hi: number, nowMs: number): void {
    const key = this.#keys.find(lo, hi);
    if (key === 0 || this.#hasCopies(key)) return;
    if ((this.#creditedUntilMs[key] as number) <= nowMs) this.#keys.remove(key);
  }

  /** What the key counts: 0 when it is not held. */
  weight(lo: number, hi: number, nowMs: number): number {
    const key = this.#keys.find(lo, hi);
    if (key === 0) return 0;
    if ((this.#copies[2 * key] as number) > 0) return TIER_WEIGHTS[0] as number;
    if ((this.#creditedUntilMs[key] as number) > nowMs) return TIER_WEIGHTS[0] as number;
    return (this.#copies[2 * key + CPU] as number) > 0 ? (TIER_WEIGHTS[CPU] as number) : 0;
  }

  #hasCopies(key: number): boolean {
    return this.#copies[2 * key] !== 0 || this.#copies[2 * key + CPU] !== 0;
  }

  #keyFor(lo: number, hi: number): number {
    const known = this.#keys.find(lo, hi);
    if (known !== 0) return known;
    const key = this.#keys.add(lo, hi);
    this.#widenKeys();
    this.#copies.fill(0, 2 * key, 2 * key + 2);
    this.#creditedUntilMs[key] = 0;
    return key;
  }

  #widenNames(): void {
    const length = 3 * (this.#names.capacity + 1);
    if (this.#nameColumns.length === length) return;
    const wider = new Int32Array(length);
    wider.set(this.#nameColumns);
    this.#nameColumns = wider;
  }

  #widenKeys(): void {
    const length = this.#keys.capacity + 1;
    if (this.#creditedUntilMs.length === length) return;
    const copies = new Int32Array(2 * length);
    const until = new Float64Array(length);
    copies.set(this.#copies);
    until.set(this.#creditedUntilMs);
    this.#copies = copies;
    this.#creditedUntilMs = until;
  }
}

const NONE = -1;
/** Bytes of one entry: key 8, bucket, chain, newer, older 4 each. */
const ENTRY_BYTES = 24;

/**
 * Keys of the blocks that one endpoint holds, least recently used first out. Memory is taken once, in
 * typed arrays: a Map of the same size costs four times as much and garbage with every eviction.
 */
export class BlockLru {
  readonly capacity: number;
  readonly sizeBytes: number;
  readonly #keyLo: Uint32Array;
  readonly #keyHi: Uint32Array;
  readonly #bucketHead: Int32Array;
  readonly #bucketNext: Int32Array;
  readonly #newer: Int32Array;
  readonly #older: Int32Array;
  readonly #bucketMask: number;
  #newest = NONE;
  #oldest = NONE;
  #count = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    const buckets = 2 ** Math.ceil(Math.log2(Math.max(2, capacity)));
    this.#bucketMask = buckets - 1;
    this.#keyLo = new Uint32Array(capacity);
    this.#keyHi = new Uint32Array(capacity);
    this.#bucketHead = new Int32Array(buckets).fill(NONE);
    this.#bucketNext = new Int32Array(capacity);
    this.#newer = new Int32Array(capacity);
    this.#older = new Int32Array(capacity);
    this.sizeBytes = (ENTRY_BYTES - 4) * capacity + 4 * buckets;
  }

  get count(): number {
    return this.#count;
  }

  has(lo: number, hi: number): boolean {
    return this.#find(lo >>> 0, hi >>> 0) !== NONE;
  }

  /** Makes the key the most recent, in place of the oldest one when full. */
  touch(lo: number, hi: number): void {
    const keyLo = lo >>> 0;
    const keyHi = hi >>> 0;
    const known = this.#find(keyLo, keyHi);
    if (known !== NONE) {
      this.#unlink(known);
      this.#linkNewest(known);
      return;
    }
    const entry = this.#count < this.capacity ? this.#count++ : this.#evictOldest();
    this.#keyLo[entry] = keyLo;
    this.#keyHi[entry] = keyHi;
    const bucket = this.#bucket(keyLo, keyHi);
    this.#bucketNext[entry] = this.#bucketHead[bucket] as number;
    this.#bucketHead[bucket] = entry;
    this.#linkNewest(entry);
  }

  #find(lo: number, hi: number): number {
    let entry = this.#bucketHead[this.#bucket(lo, hi)] as number;
    while (entry !== NONE) {
      if (this.#keyLo[entry] === lo && this.#keyHi[entry] === hi) return entry;
      entry = this.#bucketNext[entry] as number;
    }
    return NONE;
  }

  #evictOldest(): number {
    const entry = this.#oldest;
    this.#unlink(entry);
    const bucket = this.#bucket(this.#keyLo[entry] as number, this.#keyHi[entry] as number);
    let at = this.#bucketHead[bucket] as number;
    if (at === entry) {
      this.#bucketHead[bucket] = this.#bucketNext[entry] as number;
      return entry;
    }
    while (this.#bucketNext[at] !== entry) at = this.#bucketNext[at] as number;
    this.#bucketNext[at] = this.#bucketNext[entry] as number;
    return entry;
  }

  #linkNewest(entry: number): void {
    this.#older[entry] = this.#newest;
    this.#newer[entry] = NONE;
    if (this.#newest === NONE) this.#oldest = entry;
    else this.#newer[this.#newest] = entry;
    this.#newest = entry;
  }

  #unlink(entry: number): void {
    const newer = this.#newer[entry] as number;
    const older = this.#older[entry] as number;
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
  }

  /** Keys are hashes already, so some of their bits make the bucket. */
  #bucket(lo: number, hi: number): number {
    return (lo ^ (hi >>> 7)) & this.#bucketMask;
  }
}

/**
 * Hash table of ids without their keys: whoever asks walks the ids of one bucket and compares. Ids start
 * at 1, so that 0 ends a chain.
 */
export class HashChains {
  #heads: Int32Array;
  #next: Int32Array;

  /** `capacity` is the highest id. */
  constructor(capacity: number) {
    this.#heads = new Int32Array(bucketsFor(capacity));
    this.#next = new Int32Array(capacity + 1);
  }

  get sizeBytes(): number {
    return this.#heads.byteLength + this.#next.byteLength;
  }

  /** First id of the hash's bucket, 0 when it is empty. */
  first(hash: number): number {
    return this.#heads[hash & (this.#heads.length - 1)] as number;
  }

  /** The id after this one in its bucket, 0 at the end. */
  next(id: number): number {
    return this.#next[id] as number;
  }

  add(hash: number, id: number): void {
    const bucket = hash & (this.#heads.length - 1);
    this.#next[id] = this.#heads[bucket] as number;
    this.#heads[bucket] = id;
  }

  /** The id must have been added with the same hash. */
  remove(hash: number, id: number): void {
    const bucket = hash & (this.#heads.length - 1);
    const after = this.#next[id] as number;
    let at = this.#heads[bucket] as number;
    if (at === id) {
      this.#heads[bucket] = after;
      return;
    }
    while (this.#next[at] !== id) at = this.#next[at] as number;
    this.#next[at] = after;
  }

  /** Makes room for ids up to `capacity`; `hashOf` gives the hash that an id was added with. */
  grow(capacity: number, hashOf: (id: number) => number): void {
    const before = this.#heads;
    const nextBefore = this.#next;
    this.#next = new Int32Array(capacity + 1);
    this.#next.set(nextBefore);
    const buckets = bucketsFor(capacity);
    if (buckets === before.length) return;
    this.#heads = new Int32Array(buckets);
    for (let id of before) {
      while (id !== 0) {
        const after = nextBefore[id] as number;
        this.add(hashOf(id), id);
        id = after;
      }
    }
  }
}

/** A power of two, so that a mask replaces the division; at most one id a bucket on average. */
function bucketsFor(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(capacity + 1));
}

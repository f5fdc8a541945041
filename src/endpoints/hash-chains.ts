import { WordSpace } from "./word-space.ts";

/**
 * Hash table of ids without their keys: whoever asks walks the ids of one bucket and compares. Ids start
 * at 1, so that 0 ends a chain.
 */
export class HashChains {
  readonly #heads: Int32Array;
  readonly #next: Int32Array;
  readonly #mask: number;

  /** `capacity` is the highest id. */
  constructor(space: WordSpace, capacity: number) {
    const buckets = bucketsFor(capacity);
    this.#mask = buckets - 1;
    this.#heads = space.take(buckets);
    this.#next = space.take(capacity + 1);
  }

  /** A table in memory of its own. */
  static alone(capacity: number): HashChains {
    const measured = new WordSpace();
    new HashChains(measured, capacity);
    return new HashChains(new WordSpace(new ArrayBuffer(measured.sizeBytes)), capacity);
  }

  get sizeBytes(): number {
    return this.#heads.byteLength + this.#next.byteLength;
  }

  /** First id of the hash's bucket, 0 when it is empty. */
  first(hash: number): number {
    return this.#heads[hash & this.#mask] as number;
  }

  /** The id after this one in its bucket, 0 at the end. */
  next(id: number): number {
    return this.#next[id] as number;
  }

  add(hash: number, id: number): void {
    const bucket = hash & this.#mask;
    this.#next[id] = this.#heads[bucket] as number;
    this.#heads[bucket] = id;
  }

  /** The id must have been added with the same hash. */
  remove(hash: number, id: number): void {
    const bucket = hash & this.#mask;
    const after = this.#next[id] as number;
    let at = this.#heads[bucket] as number;
    if (at === id) {
      this.#heads[bucket] = after;
      return;
    }
    while (this.#next[at] !== id) at = this.#next[at] as number;
    this.#next[at] = after;
  }

  clear(): void {
    this.#heads.fill(0);
  }

  /** Takes over the ids of a smaller table; `hashOf` gives the hash that an id was added with. */
  follow(smaller: HashChains, hashOf: (id: number) => number): void {
    for (let id of smaller.#heads) {
      for (; id !== 0; id = smaller.next(id)) this.add(hashOf(id), id);
    }
  }
}

/** A power of two, so that a mask replaces the division; at most one id a bucket on average. */
function bucketsFor(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(capacity + 1));
}

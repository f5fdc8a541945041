import type { WordSpace } from "./word-space.ts";

const LIVE = 0;
const TOP = 1;
const FREE = 2;

/**
 * Ids from 1 to a capacity. What was given back is taken again before what was never used, so memory
 * behind the highest id stays untouched. Zeros are the state in which all are free.
 */
export class FreeIds {
  readonly capacity: number;
  readonly #header: Int32Array;
  /** In a free id's place, the next free one. */
  readonly #links: Int32Array;
  readonly #stride: number;

  /** The link of an id is the first word of its `stride` words in `links`. */
  constructor(space: WordSpace, capacity: number, links: Int32Array, stride = 1) {
    this.capacity = capacity;
    this.#header = space.take(3);
    this.#links = links;
    this.#stride = stride;
  }

  get liveCount(): number {
    return this.#header[LIVE] as number;
  }

  get freeCount(): number {
    return this.capacity - this.liveCount;
  }

  /** Highest id that was ever taken. */
  get top(): number {
    return this.#header[TOP] as number;
  }

  /** An id, 0 when none is free. */
  take(): number {
    const header = this.#header;
    const free = header[FREE] as number;
    if (free !== 0) {
      header[FREE] = this.#links[free * this.#stride] as number;
    } else if (header[TOP] === this.capacity) {
      return 0;
    } else {
      (header[TOP] as number) += 1;
    }
    (header[LIVE] as number) += 1;
    return free === 0 ? (header[TOP] as number) : free;
  }

  give(id: number): void {
    const header = this.#header;
    this.#links[id * this.#stride] = header[FREE] as number;
    header[FREE] = id;
    (header[LIVE] as number) -= 1;
  }

  /** Makes the ids free that are not in use, whatever was known of them. */
  rebuild(isUsed: (id: number) => boolean): void {
    this.#header.fill(0);
    this.#header[TOP] = this.capacity;
    for (let id = this.capacity; id > 0; id--) {
      if (isUsed(id)) continue;
      this.#links[id * this.#stride] = this.#header[FREE] as number;
      this.#header[FREE] = id;
    }
    for (let id = 1; id <= this.capacity; id++) {
      if (isUsed(id)) (this.#header[LIVE] as number) += 1;
    }
  }

  clear(): void {
    this.#header.fill(0);
  }

  /** Goes on where smaller ones ended, whose links were copied. */
  follow(smaller: FreeIds): void {
    this.#header.set(smaller.#header);
  }
}

import { grownCapacity, widened } from "./grown-capacity.ts";
import { HashChains } from "./hash-chains.ts";

const PAIRS_AT_START = 64;

/** Numbers 64-bit pairs from 1 upwards, so that columns can say more of them; a free number is given again. */
export class PairIndex {
  #capacity = PAIRS_AT_START;
  #count = 0;
  /** Numbers up to here were given before. */
  #top = 0;
  /** Head of the list of free numbers, which goes on in `#lo`; 0 ends it. */
  #free = 0;
  #chains = HashChains.alone(PAIRS_AT_START);
  #lo = new Int32Array(PAIRS_AT_START + 1);
  #hi = new Int32Array(PAIRS_AT_START + 1);

  /** Highest number that can be given before columns must grow. */
  get capacity(): number {
    return this.#capacity;
  }

  get count(): number {
    return this.#count;
  }

  get sizeBytes(): number {
    return this.#chains.sizeBytes + this.#lo.byteLength + this.#hi.byteLength;
  }

  /** Number of the pair, 0 when it has none. */
  find(lo: number, hi: number): number {
    const low = lo | 0;
    const high = hi | 0;
    let id = this.#chains.first(low);
    while (id !== 0 && (this.#lo[id] !== low || this.#hi[id] !== high)) id = this.#chains.next(id);
    return id;
  }

  /** Numbers a pair that has no number yet. */
  add(lo: number, hi: number): number {
    if (this.#free === 0 && this.#top === this.#capacity) this.#grow();
    const id = this.#free === 0 ? ++this.#top : this.#free;
    if (id === this.#free) this.#free = this.#lo[id] as number;
    this.#lo[id] = lo;
    this.#hi[id] = hi;
    this.#chains.add(lo | 0, id);
    this.#count++;
    return id;
  }

  remove(id: number): void {
    this.#chains.remove(this.#lo[id] as number, id);
    this.#lo[id] = this.#free;
    this.#free = id;
    this.#count--;
  }

  lo(id: number): number {
    return this.#lo[id] as number;
  }

  hi(id: number): number {
    return this.#hi[id] as number;
  }

  #grow(): void {
    this.#capacity = grownCapacity(this.#capacity);
    this.#lo = widened(this.#lo, this.#capacity + 1);
    this.#hi = widened(this.#hi, this.#capacity + 1);
    const smaller = this.#chains;
    this.#chains = HashChains.alone(this.#capacity);
    this.#chains.follow(smaller, (id) => this.#lo[id] as number);
  }
}

import type { Decision } from "./decision.ts";
import { DecisionRecord } from "./decision-record.ts";

/** Limits of the ring. */
export interface DecisionRingOptions {
  /** Pool name in decision ids. */
  readonly pool: string;
  /** Decisions kept. */
  readonly capacity: number;
  /** Bytes of numbers kept; older decisions go first. */
  readonly sizeBytesMax: number;
}

/** The latest decisions of one pool, in rows that are used again. */
export class DecisionRing {
  readonly #pool: string;
  readonly #rows: DecisionRecord[] = [];
  readonly #capacity: number;
  readonly #sizeBytesMax: number;
  #oldest = 1;
  #newest = 0;
  #sizeBytes = 0;

  constructor(options: DecisionRingOptions) {
    this.#pool = options.pool;
    this.#capacity = options.capacity;
    this.#sizeBytesMax = options.sizeBytesMax;
  }

  /** Bytes of the numbers kept. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Decisions that can be read. */
  get count(): number {
    return this.#newest - this.#oldest + 1;
  }

  /** Number that the next decision gets; numbers rise by one from 1. */
  get nextNumber(): number {
    return this.#newest + 1;
  }

  /** Takes the row of the next decision, writes it, and keeps the ring within its bytes. */
  write(fill: (record: DecisionRecord, number: number) => void): number {
    const number = ++this.#newest;
    const index = number % this.#capacity;
    const row = this.#rows[index] ?? new DecisionRecord();
    this.#rows[index] = row;
    if (this.#oldest <= number - this.#capacity) this.#oldest = number - this.#capacity + 1;
    const before = row.sizeBytes;
    fill(row, number);
    this.#sizeBytes += row.sizeBytes - before;
    while (this.#sizeBytes > this.#sizeBytesMax && this.#oldest < number) this.#dropOldest();
    return number;
  }

  /** The record of a decision, undefined when it is no longer or not yet there. */
  record(number: number): DecisionRecord | undefined {
    if (number < this.#oldest || number > this.#newest) return undefined;
    return this.#rows[number % this.#capacity];
  }

  read(number: number): Decision | undefined {
    return this.record(number)?.toDecision(this.#pool);
  }

  /** Newest first. */
  latest(limit: number): readonly Decision[] {
    const decisions: Decision[] = [];
    for (let number = this.#newest; number >= this.#oldest && decisions.length < limit; number--) {
      const decision = this.read(number);
      if (decision !== undefined) decisions.push(decision);
    }
    return decisions;
  }

  #dropOldest(): void {
    const row = this.#rows[this.#oldest % this.#capacity];
    this.#oldest++;
    if (row === undefined) return;
    this.#sizeBytes -= row.sizeBytes;
    row.clear();
  }
}

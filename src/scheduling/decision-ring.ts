import type { Decision } from "./decision.ts";
import { DecisionRecord } from "./decision-record.ts";

/** Which numbers a ring gives: place × step + offset, with places from the one after `last`. */
export interface DecisionNumbering {
  readonly step: number;
  readonly offset: number;
  readonly last: number;
}

/** Limits of the ring. */
export interface DecisionRingOptions {
  /** Pool name in decision ids. */
  readonly pool: string;
  /** Decisions kept. */
  readonly capacity: number;
  /** Bytes of numbers kept; older decisions go first. */
  readonly sizeBytesMax: number;
  /** 1, 2, 3, … unless given. */
  readonly numbering?: DecisionNumbering;
}

/** The latest decisions of one pool, in rows that are used again. */
export class DecisionRing {
  readonly #pool: string;
  readonly #rows: DecisionRecord[] = [];
  readonly #capacity: number;
  readonly #sizeBytesMax: number;
  readonly #step: number;
  readonly #offset: number;
  /** Places of decisions: numbers of one thread are not adjacent. */
  #oldest: number;
  #newest: number;
  #sizeBytes = 0;

  constructor(options: DecisionRingOptions) {
    this.#pool = options.pool;
    this.#capacity = options.capacity;
    this.#sizeBytesMax = options.sizeBytesMax;
    const { step, offset, last } = options.numbering ?? { step: 1, offset: 0, last: 0 };
    this.#step = step;
    this.#offset = offset;
    this.#oldest = last + 1;
    this.#newest = last;
  }

  /** Bytes of the numbers kept. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Decisions that can be read. */
  get count(): number {
    return this.#newest - this.#oldest + 1;
  }

  /** Place of the latest decision among those of this ring and its forerunners. */
  get lastPlace(): number {
    return this.#newest;
  }

  /** Number that the next decision gets. */
  get nextNumber(): number {
    return this.#numberAt(this.#newest + 1);
  }

  /** Takes the row of the next decision, writes it, and keeps the ring within its bytes. */
  write(fill: (record: DecisionRecord, number: number) => void): number {
    const place = ++this.#newest;
    const number = this.#numberAt(place);
    const index = place % this.#capacity;
    const row = this.#rows[index] ?? new DecisionRecord();
    this.#rows[index] = row;
    if (this.#oldest <= place - this.#capacity) this.#oldest = place - this.#capacity + 1;
    const before = row.sizeBytes;
    fill(row, number);
    this.#sizeBytes += row.sizeBytes - before;
    while (this.#sizeBytes > this.#sizeBytesMax && this.#oldest < place) this.#dropOldest();
    return number;
  }

  /** The record of a decision, undefined when it is no longer or not yet there. */
  record(number: number): DecisionRecord | undefined {
    const place = (number - this.#offset) / this.#step;
    if (place < this.#oldest || place > this.#newest) return undefined;
    return this.#rows[place % this.#capacity];
  }

  read(number: number): Decision | undefined {
    return this.record(number)?.toDecision(this.#pool);
  }

  /** Newest first. */
  latest(limit: number): readonly Decision[] {
    const decisions: Decision[] = [];
    for (let place = this.#newest; place >= this.#oldest && decisions.length < limit; place--) {
      const decision = this.read(this.#numberAt(place));
      if (decision !== undefined) decisions.push(decision);
    }
    return decisions;
  }

  #numberAt(place: number): number {
    return place * this.#step + this.#offset;
  }

  #dropOldest(): void {
    const row = this.#rows[this.#oldest % this.#capacity];
    this.#oldest++;
    if (row === undefined) return;
    this.#sizeBytes -= row.sizeBytes;
    row.clear();
  }
}

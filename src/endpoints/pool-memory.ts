import { invariant } from "../core/invariant.ts";
import { ChargeTable } from "./charge-table.ts";
import { NUMERIC_ATTRIBUTES, type NumericAttribute } from "./numeric-attribute.ts";
import { WordSpace } from "./word-space.ts";

/** What a pool's memory has room for. */
export interface PoolShape {
  readonly slots: number;
  readonly charges: number;
  readonly threads: number;
}

const SHAPE_AT_START: PoolShape = { slots: 16, charges: 256, threads: 1 };

/**
 * All that decisions read and write of a pool's endpoints besides their names and the prefix indexes:
 * columns, readiness, generations and charges. One thread's memory grows as needed; that of several is of
 * a fixed size in one SharedArrayBuffer.
 */
export class PoolMemory {
  #buffer: ArrayBufferLike;
  #shape: PoolShape;
  #parts: PoolParts;

  /** Private unless a shared buffer is given. */
  constructor(shape: PoolShape = SHAPE_AT_START, shared?: SharedArrayBuffer) {
    this.#shape = shape;
    this.#buffer = shared ?? new ArrayBuffer(sizeOf(shape));
    this.#parts = takeParts(new WordSpace(this.#buffer), shape);
    if (shared === undefined) forgetFrom(this.#parts, 0);
  }

  /** Memory for threads, in which every column is unknown. */
  static shared(shape: PoolShape): SharedArrayBuffer {
    const buffer = new SharedArrayBuffer(sizeOf(shape));
    forgetFrom(takeParts(new WordSpace(buffer), shape), 0);
    return buffer;
  }

  get slots(): number {
    return this.#shape.slots;
  }

  /** Rises each time the slot is given to another endpoint. */
  get generations(): Int32Array {
    return this.#parts.generations;
  }

  /** 1 for a slot whose endpoint is ready. */
  get ready(): Int32Array {
    return this.#parts.ready;
  }

  get charges(): ChargeTable {
    return this.#parts.charges;
  }

  /** Exchanges of each thread that are not over. */
  get exchangeCounts(): Int32Array {
    return this.#parts.exchangeCounts;
  }

  /** Place of each thread's last decision among its own. */
  get lastDecisions(): Float64Array {
    return this.#parts.lastDecisions;
  }

  column(attribute: NumericAttribute): Float64Array {
    const column = this.#parts.columns[attribute.place];
    invariant(column !== undefined, "every attribute has its column");
    return column;
  }

  /** Makes the slot's figures unknown. */
  forget(slot: number): void {
    for (const column of this.#parts.columns) column[slot] = Number.NaN;
  }

  /** Whether there is, or now is, room for so many slots. */
  reachSlots(slots: number): boolean {
    if (slots <= this.#shape.slots) return true;
    return this.#grow({ ...this.#shape, slots: Math.max(slots, 2 * this.#shape.slots) });
  }

  /** Makes room for one more charge where memory grows. */
  reachCharge(): void {
    const { charges } = this.#shape;
    if (this.charges.ids.freeCount === 0) this.#grow({ ...this.#shape, charges: 2 * charges });
  }

  #grow(shape: PoolShape): boolean {
    if (this.#buffer instanceof SharedArrayBuffer) return false;
    const before = this.#parts;
    this.#buffer = new ArrayBuffer(sizeOf(shape));
    this.#parts = takeParts(new WordSpace(this.#buffer), shape);
    for (const [place, column] of this.#parts.columns.entries()) {
      column.set(before.columns[place] ?? []);
    }
    forgetFrom(this.#parts, this.#shape.slots);
    this.#parts.generations.set(before.generations);
    this.#parts.ready.set(before.ready);
    this.#parts.charges.follow(before.charges);
    this.#parts.exchangeCounts.set(before.exchangeCounts);
    this.#parts.lastDecisions.set(before.lastDecisions);
    this.#shape = shape;
    return true;
  }
}

interface PoolParts {
  /** By the attributes' places: a decision asks for twenty. */
  readonly columns: readonly Float64Array[];
  readonly generations: Int32Array;
  readonly ready: Int32Array;
  readonly charges: ChargeTable;
  readonly exchangeCounts: Int32Array;
  readonly lastDecisions: Float64Array;
}

function takeParts(space: WordSpace, { slots, charges, threads }: PoolShape): PoolParts {
  return {
    columns: NUMERIC_ATTRIBUTES.map(() => space.takeNumbers(slots)),
    generations: space.take(slots),
    ready: space.take(slots),
    charges: new ChargeTable(space, charges, slots),
    exchangeCounts: space.take(threads),
    lastDecisions: space.takeNumbers(threads),
  };
}

function forgetFrom({ columns }: PoolParts, slot: number): void {
  for (const column of columns) column.fill(Number.NaN, slot);
}

function sizeOf(shape: PoolShape): number {
  const space = new WordSpace();
  takeParts(space, shape);
  return space.sizeBytes;
}

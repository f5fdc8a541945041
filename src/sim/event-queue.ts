import { invariant } from "../core/invariant.ts";

/** What goes first of events at one time; within a class the one that was scheduled first. */
export const EVENT_CLASS = { arrival: 0, step: 1, transfer: 2, notice: 3 } as const;
export type EventClass = (typeof EVENT_CLASS)[keyof typeof EVENT_CLASS];

/** Sequence numbers stay below this, so class and sequence fit in one float64. */
const CLASS_WEIGHT = 2 ** 50;
const NOT_QUEUED = -1;

/**
 * Events by (time, class, sequence): a binary heap of numbered slots in typed arrays. A slot can be kept
 * by its owner and moved, so whoever has one next event at a time has one entry.
 */
export class EventQueue<Payload> {
  /** Slots in heap order. */
  #heap = new Int32Array(64);
  #count = 0;
  #times = new Float64Array(64);
  #ranks = new Float64Array(64);
  #positions = new Int32Array(64).fill(NOT_QUEUED);
  readonly #payloads: (Payload | undefined)[] = [];
  readonly #isReserved: boolean[] = [];
  readonly #freeSlots: number[] = [];
  #sequence = 0;
  #nowUs = 0;

  /** Time of the event that was popped last. */
  get nowUs(): number {
    return this.#nowUs;
  }

  get count(): number {
    return this.#count;
  }

  /** Schedules an event that happens once. */
  push(atUs: number, eventClass: EventClass, payload: Payload): void {
    this.#insert(this.#takeSlot(payload, false), atUs, eventClass);
  }

  /** A slot of one's own, not scheduled yet. */
  reserve(): number {
    return this.#takeSlot(undefined, true);
  }

  /** Says what happens when a reserved slot comes up. */
  assign(slot: number, payload: Payload): void {
    this.#payloads[slot] = payload;
  }

  /** Schedules a reserved slot, in place of when it was scheduled before; Infinity is never. */
  schedule(slot: number, atUs: number, eventClass: EventClass): void {
    const position = this.#positions[slot] as number;
    if (position !== NOT_QUEUED) {
      if (this.#times[slot] === atUs) return;
      this.#removeAt(position);
    }
    if (atUs !== Number.POSITIVE_INFINITY) this.#insert(slot, atUs, eventClass);
  }

  /** Takes the next event and moves the time on to it; undefined when there is none. */
  pop(): Payload | undefined {
    if (this.#count === 0) return undefined;
    const slot = this.#heap[0] as number;
    this.#removeAt(0);
    const atUs = this.#times[slot] as number;
    invariant(atUs >= this.#nowUs, `an event of ${atUs} us came after ${this.#nowUs} us`);
    this.#nowUs = atUs;
    const payload = this.#payloads[slot];
    if (this.#isReserved[slot] !== true) {
      this.#payloads[slot] = undefined;
      this.#freeSlots.push(slot);
    }
    return payload;
  }

  #takeSlot(payload: Payload | undefined, isReserved: boolean): number {
    const slot = this.#freeSlots.pop() ?? this.#payloads.length;
    if (slot >= this.#times.length) this.#grow();
    this.#payloads[slot] = payload;
    this.#isReserved[slot] = isReserved;
    return slot;
  }

  #insert(slot: number, atUs: number, eventClass: EventClass): void {
    this.#times[slot] = atUs;
    this.#ranks[slot] = eventClass * CLASS_WEIGHT + this.#sequence++;
    this.#siftUp(this.#count++, slot);
  }

  #removeAt(position: number): void {
    const slot = this.#heap[position] as number;
    this.#positions[slot] = NOT_QUEUED;
    const last = this.#heap[--this.#count] as number;
    if (last === slot) return;
    const parent = (position - 1) >> 1;
    if (position > 0 && this.#isBefore(last, this.#heap[parent] as number)) {
      this.#siftUp(position, last);
    } else {
      this.#siftDown(position, last);
    }
  }

  #siftUp(from: number, slot: number): void {
    let position = from;
    while (position > 0) {
      const parent = (position - 1) >> 1;
      const above = this.#heap[parent] as number;
      if (!this.#isBefore(slot, above)) break;
      this.#place(position, above);
      position = parent;
    }
    this.#place(position, slot);
  }

  #siftDown(from: number, slot: number): void {
    let position = from;
    for (;;) {
      let child = 2 * position + 1;
      if (child >= this.#count) break;
      const right = child + 1;
      if (
        right < this.#count &&
        this.#isBefore(this.#heap[right] as number, this.#heap[child] as number)
      ) {
        child = right;
      }
      const below = this.#heap[child] as number;
      if (!this.#isBefore(below, slot)) break;
      this.#place(position, below);
      position = child;
    }
    this.#place(position, slot);
  }

  #place(position: number, slot: number): void {
    this.#heap[position] = slot;
    this.#positions[slot] = position;
  }

  #isBefore(one: number, other: number): boolean {
    const oneUs = this.#times[one] as number;
    const otherUs = this.#times[other] as number;
    if (oneUs !== otherUs) return oneUs < otherUs;
    return (this.#ranks[one] as number) < (this.#ranks[other] as number);
  }

  #grow(): void {
    const size = 2 * this.#times.length;
    const times = new Float64Array(size);
    times.set(this.#times);
    this.#times = times;
    const ranks = new Float64Array(size);
    ranks.set(this.#ranks);
    this.#ranks = ranks;
    const positions = new Int32Array(size).fill(NOT_QUEUED);
    positions.set(this.#positions);
    this.#positions = positions;
    const heap = new Int32Array(size);
    heap.set(this.#heap);
    this.#heap = heap;
  }
}

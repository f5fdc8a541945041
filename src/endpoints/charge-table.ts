import { invariant } from "../core/invariant.ts";
import { FreeIds } from "./free-ids.ts";
import type { WordSpace } from "./word-space.ts";

/** What a charge is made of. */
export interface NewCharge {
  readonly slot: number;
  readonly generation: number;
  /** Thread whose request it is. */
  readonly thread: number;
  readonly sentAtMs: number;
  readonly promptTokens: number;
  readonly loadTokens: number;
}

/** A charge as one thread holds it. */
export interface Charge extends Pick<NewCharge, "slot" | "generation"> {
  readonly id: number;
}

const CLOSED = 0;
const UNANSWERED = 1;
const ANSWERED = 2;

/** Charges of all threads until their release, those without a first byte listed by slot in their order. */
export class ChargeTable {
  readonly ids: FreeIds;
  readonly #state: Int32Array;
  readonly #slot: Int32Array;
  readonly #generation: Int32Array;
  readonly #thread: Int32Array;
  /** Neighbours among the slot's unanswered charges; 0 at the ends. */
  readonly #before: Int32Array;
  readonly #after: Int32Array;
  readonly #sentAtMs: Float64Array;
  readonly #promptTokens: Float64Array;
  readonly #loadTokens: Float64Array;
  /** First and last unanswered charge by slot; 0 for none. */
  readonly #first: Int32Array;
  readonly #last: Int32Array;

  constructor(space: WordSpace, charges: number, slots: number) {
    this.#state = space.take(charges + 1);
    this.#slot = space.take(charges + 1);
    this.#generation = space.take(charges + 1);
    this.#thread = space.take(charges + 1);
    this.#before = space.take(charges + 1);
    this.#after = space.take(charges + 1);
    this.#sentAtMs = space.takeNumbers(charges + 1);
    this.#promptTokens = space.takeNumbers(charges + 1);
    this.#loadTokens = space.takeNumbers(charges + 1);
    this.#first = space.take(slots);
    this.#last = space.take(slots);
    this.ids = new FreeIds(space, charges, this.#after);
  }

  open(charge: NewCharge): Charge {
    const id = this.ids.take();
    invariant(id !== 0, "there are more charges than requests in flight may have");
    const { slot, generation } = charge;
    this.#slot[id] = slot;
    this.#generation[id] = generation;
    this.#thread[id] = charge.thread;
    this.#sentAtMs[id] = charge.sentAtMs;
    this.#promptTokens[id] = charge.promptTokens;
    this.#loadTokens[id] = charge.loadTokens;
    this.#link(id, slot);
    this.#state[id] = UNANSWERED;
    return { id, slot, generation };
  }

  /** Takes the charge off its slot's list; false when it was off already. */
  answer(id: number): boolean {
    if (this.#state[id] !== UNANSWERED) return false;
    this.#state[id] = ANSWERED;
    const slot = this.#slot[id] as number;
    const before = this.#before[id] as number;
    const after = this.#after[id] as number;
    if (before === 0) this.#first[slot] = after;
    else this.#after[before] = after;
    if (after === 0) this.#last[slot] = before;
    else this.#before[after] = before;
    return true;
  }

  /** Ends the charge. Call once. */
  close(id: number): void {
    invariant(this.#state[id] !== CLOSED, "a charge was released twice");
    this.answer(id);
    this.#state[id] = CLOSED;
    this.ids.give(id);
  }

  loadTokens(id: number): number {
    return this.#loadTokens[id] as number;
  }

  promptTokens(id: number): number {
    return this.#promptTokens[id] as number;
  }

  sentAtMs(id: number): number {
    return this.#sentAtMs[id] as number;
  }

  /** The slot's oldest charge without a first byte, 0 when there is none. */
  firstUnanswered(slot: number): number {
    return this.#first[slot] as number;
  }

  /** The next younger one of the same slot, 0 at the end. */
  nextUnanswered(id: number): number {
    return this.#after[id] as number;
  }

  thread(id: number): number {
    return this.#thread[id] as number;
  }

  /** Makes lists and free ids anew from the charges' states, after a thread died while it changed them. */
  rebuild(): void {
    this.ids.rebuild((id) => this.#state[id] !== CLOSED);
    this.#first.fill(0);
    this.#last.fill(0);
    for (let id = 1; id <= this.ids.capacity; id++) {
      if (this.#state[id] === UNANSWERED) this.#link(id, this.#slot[id] as number);
    }
  }

  /** Calls back for every charge that is not closed. */
  forEachOpen(visit: (charge: Charge, isAnswered: boolean) => void): void {
    for (let id = 1; id <= this.ids.top; id++) {
      const state = this.#state[id];
      if (state === CLOSED) continue;
      const slot = this.#slot[id] as number;
      visit({ id, slot, generation: this.#generation[id] as number }, state === ANSWERED);
    }
  }

  /** Takes over the charges of a smaller table under their ids. */
  follow(smaller: ChargeTable): void {
    this.#state.set(smaller.#state);
    this.#slot.set(smaller.#slot);
    this.#generation.set(smaller.#generation);
    this.#thread.set(smaller.#thread);
    this.#before.set(smaller.#before);
    this.#after.set(smaller.#after);
    this.#sentAtMs.set(smaller.#sentAtMs);
    this.#promptTokens.set(smaller.#promptTokens);
    this.#loadTokens.set(smaller.#loadTokens);
    this.#first.set(smaller.#first);
    this.#last.set(smaller.#last);
    this.ids.follow(smaller.ids);
  }

  /** Puts the charge at the end of its slot's list. */
  #link(id: number, slot: number): void {
    const last = this.#last[slot] as number;
    this.#before[id] = last;
    this.#after[id] = 0;
    if (last === 0) this.#first[slot] = id;
    else this.#after[last] = id;
    this.#last[slot] = id;
  }
}

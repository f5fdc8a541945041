/** Guards what threads share. */
export interface Lock {
  /** Waits until no other thread is inside. Not reentrant. */
  enter(): void;
  leave(): void;
}

/** For a router of one thread. */
export const noLock: Lock = { enter: () => undefined, leave: () => undefined };

const STATE = 0;
const OWNER = 1;
const TICKET = 2;
const TORN = 3;
/** A cache line. */
const LOCK_WORDS = 16;

const FREE = 0;
const HELD = 1;
/** Held, and somebody may sleep. */
const CONTENDED = 2;
const NOBODY = 0;

/** Turns of waiting awake: decisions are short, and waking a thread costs more than most waits. */
const SPINS = 2000;
/** Sleep is cut into turns, so that a lost wake-up or a dead owner is found. */
const SLEEP_MS = 5;
/** Turns without progress, two seconds, after which the thread inside counts as dead. */
const STUCK_TURNS = 400;

/**
 * One lock for threads that share memory. A waiter tells a dead owner from a busy one by the ticket, which
 * changes with each entry; turns are counted and not time, because a process that was stopped as a whole
 * has no dead owner. Whoever takes the lock from a dead owner resets what it guards.
 */
export class SharedLock implements Lock {
  readonly #words: Int32Array;
  readonly #thread: number;
  readonly #reset: () => void;
  #contendedCount = 0;

  /** `thread` is above 0; `reset` is called inside, when a thread died there. */
  constructor(buffer: SharedArrayBuffer, thread: number, reset: () => void) {
    this.#words = new Int32Array(buffer, 0, LOCK_WORDS);
    this.#thread = thread;
    this.#reset = reset;
  }

  /** Memory of a lock that is free. */
  static buffer(): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * LOCK_WORDS);
  }

  /** Entries of this thread that had to wait. */
  get contendedCount(): number {
    return this.#contendedCount;
  }

  enter(): void {
    const words = this.#words;
    if (Atomics.compareExchange(words, STATE, FREE, HELD) !== FREE) this.#wait();
    Atomics.store(words, OWNER, this.#thread);
    Atomics.add(words, TICKET, 1);
    if (Atomics.load(words, TORN) !== 0) this.#mend();
  }

  leave(): void {
    const words = this.#words;
    if (Atomics.compareExchange(words, OWNER, this.#thread, NOBODY) !== this.#thread) {
      // Another thread took this one for dead and is inside, so both may have written.
      Atomics.store(words, TORN, 1);
      return;
    }
    if (Atomics.exchange(words, STATE, FREE) === CONTENDED) Atomics.notify(words, STATE, 1);
  }

  /** A thread has ended; returns whether it died inside. */
  threadEnded(thread: number): boolean {
    if (!this.#seize(thread)) return false;
    Atomics.add(this.#words, TICKET, 1);
    this.#mend();
    this.leave();
    return true;
  }

  #wait(): void {
    const words = this.#words;
    this.#contendedCount++;
    for (let spin = 0; spin < SPINS; spin++) {
      const isFree = Atomics.load(words, STATE) === FREE;
      if (isFree && Atomics.compareExchange(words, STATE, FREE, HELD) === FREE) return;
      Atomics.pause();
    }
    let ticket = Atomics.load(words, TICKET);
    let turns = 0;
    while (Atomics.exchange(words, STATE, CONTENDED) !== FREE) {
      const woken = Atomics.wait(words, STATE, CONTENDED, SLEEP_MS);
      const latest = Atomics.load(words, TICKET);
      if (latest !== ticket) turns = 0;
      else if (woken === "timed-out") turns++;
      ticket = latest;
      if (turns >= STUCK_TURNS && this.#seize(Atomics.load(words, OWNER))) return;
    }
  }

  /** Takes the place of the thread inside, unless it left or another one was faster. */
  #seize(owner: number): boolean {
    const words = this.#words;
    if (Atomics.compareExchange(words, OWNER, owner, this.#thread) !== owner) return false;
    Atomics.store(words, TORN, 1);
    return true;
  }

  #mend(): void {
    Atomics.store(this.#words, TORN, 0);
    this.#reset();
  }
}

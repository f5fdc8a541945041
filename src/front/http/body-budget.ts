/** Bounds of the memory that request bodies may hold together. */
export interface BodyBudgetLimits {
  readonly bytesMax: number;
  /** Wall milliseconds that a body waits for room. */
  readonly waitMs: number;
  /** Bodies that may wait at the same time; further ones are refused at once. */
  readonly waitingMax: number;
}

interface Waiter {
  readonly bytes: number;
  readonly settle: (isGranted: boolean) => void;
  readonly timer: NodeJS.Timeout;
}

/** Counts the bytes of all bodies held; above the limit new ones wait their turn, first come first served. */
export class BodyBudget {
  readonly #limits: BodyBudgetLimits;
  readonly #waiters: Waiter[] = [];
  #usedBytes = 0;

  constructor(limits: BodyBudgetLimits) {
    this.#limits = limits;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get waitingCount(): number {
    return this.#waiters.length;
  }

  /** Resolves to true once the bytes are the caller's, to false when no room came in time. */
  take(bytes: number): boolean | Promise<boolean> {
    if (this.#waiters.length === 0 && this.#fits(bytes)) {
      this.#usedBytes += bytes;
      return true;
    }
    if (this.#waiters.length >= this.#limits.waitingMax) return false;
    return new Promise((settle) => {
      const timer = setTimeout(() => this.#giveUp(waiter), this.#limits.waitMs);
      const waiter: Waiter = { bytes, settle, timer };
      this.#waiters.push(waiter);
    });
  }

  /** Hands bytes back that were taken. */
  give(bytes: number): void {
    this.#usedBytes -= bytes;
    this.#grant();
  }

  #fits(bytes: number): boolean {
    return this.#usedBytes + bytes <= this.#limits.bytesMax;
  }

  #grant(): void {
    for (let head = this.#waiters[0]; head !== undefined; head = this.#waiters[0]) {
      if (!this.#fits(head.bytes)) return;
      this.#waiters.shift();
      this.#usedBytes += head.bytes;
      clearTimeout(head.timer);
      head.settle(true);
    }
  }

  #giveUp(waiter: Waiter): void {
    this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
    waiter.settle(false);
    // A smaller body may fit once the one in front of it is gone.
    this.#grant();
  }
}

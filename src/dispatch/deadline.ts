import { performance } from "node:perf_hooks";

/**
 * Wall milliseconds of an engine-time limit: slow engine time stretches it, fast engine time does
 * not shrink it.
 */
export function wallLimitMs(engineMs: number, timeScale: number): number {
  return engineMs / Math.min(1, timeScale);
}

// setTimeout fires at once beyond 2^31 - 1 milliseconds.
const LONGEST_TIMER_MS = 2_147_483_647;

/**
 * The running deadlines of a dispatcher behind one timer: a timer for each phase of each request
 * took 3 % of a small request's CPU time.
 */
export class DeadlineWatch {
  readonly #running: Deadline[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** When the timer looks; never later than the earliest deadline. */
  #lookAtMs = Number.POSITIVE_INFINITY;

  start(deadline: Deadline): void {
    if (deadline.place === -1) deadline.place = this.#running.push(deadline) - 1;
    if (deadline.dueAtMs < this.#lookAtMs) this.#arm(deadline.dueAtMs);
  }

  stop(deadline: Deadline): void {
    const { place } = deadline;
    if (place === -1) return;
    deadline.place = -1;
    const last = this.#running.pop() as Deadline;
    if (last === deadline) return;
    this.#running[place] = last;
    last.place = place;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#lookAtMs = Number.POSITIVE_INFINITY;
  }

  #arm(atMs: number): void {
    clearTimeout(this.#timer);
    this.#lookAtMs = atMs;
    const delayMs = Math.min(Math.ceil(atMs - performance.now()), LONGEST_TIMER_MS);
    // Exchanges hold sockets; those keep the process alive.
    this.#timer = setTimeout(() => this.#look(), Math.max(1, delayMs)).unref();
  }

  #look(): void {
    this.#lookAtMs = Number.POSITIVE_INFINITY;
    const nowMs = performance.now();
    const passed: Deadline[] = [];
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const deadline of this.#running) {
      if (deadline.dueAtMs <= nowMs) passed.push(deadline);
      else earliestMs = Math.min(earliestMs, deadline.dueAtMs);
    }
    if (earliestMs < Number.POSITIVE_INFINITY) this.#arm(earliestMs);
    for (const deadline of passed) {
      // The one before it may have ended it.
      if (deadline.place === -1) continue;
      this.stop(deadline);
      deadline.passed();
    }
  }
}

/** A phase that must make progress; progress is a timestamp, so it costs no timer call. */
export class Deadline {
  readonly passed: () => void;
  /** Among those that run; -1 while it does not. */
  place = -1;
  readonly #watch: DeadlineWatch;
  #limitMs = 0;
  #progressAtMs = 0;

  constructor(watch: DeadlineWatch, passed: () => void) {
    this.#watch = watch;
    this.passed = passed;
  }

  /** By `performance.now()`. */
  get dueAtMs(): number {
    return this.#progressAtMs + this.#limitMs;
  }

  /** Starts a phase of at most `limitMs` wall milliseconds without progress. */
  restart(limitMs: number): void {
    this.#limitMs = limitMs;
    this.touch();
    this.#watch.start(this);
  }

  /** Notes progress: the phase's limit counts from here. */
  touch(): void {
    this.#progressAtMs = performance.now();
  }

  clear(): void {
    this.#watch.stop(this);
  }
}

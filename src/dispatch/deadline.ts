import { performance } from "node:perf_hooks";

/**
 * Wall milliseconds of an engine-time limit: slow engine time stretches it, fast engine time does
 * not shrink it.
 */
export function wallLimitMs(engineMs: number, timeScale: number): number {
  return engineMs / Math.min(1, timeScale);
}

/**
 * One timer for a phase that must make progress; progress is a timestamp, so it costs no timer
 * call.
 */
export class Deadline {
  readonly #passed: () => void;
  #limitMs = 0;
  #progressAtMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(passed: () => void) {
    this.#passed = passed;
  }

  /** Starts a phase of at most `limitMs` wall milliseconds without progress. */
  restart(limitMs: number): void {
    this.#limitMs = limitMs;
    this.touch();
    this.#arm(limitMs);
  }

  /** Notes progress: the phase's limit counts from here. */
  touch(): void {
    this.#progressAtMs = performance.now();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#check(), Math.min(delayMs, LONGEST_TIMER_MS));
  }

  #check(): void {
    const leftMs = this.#progressAtMs + this.#limitMs - performance.now();
    if (leftMs > 0) this.#arm(Math.ceil(leftMs));
    else this.#passed();
  }
}

// setTimeout fires at once beyond 2^31 - 1 milliseconds.
const LONGEST_TIMER_MS = 2_147_483_647;

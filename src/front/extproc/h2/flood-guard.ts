import { H2_ERROR, H2Fault } from "./h2-protocol.ts";

/** Frames that carry nothing: a burst, and how many more in a second. */
const IDLE_FRAMES = { burst: 10_000, perSecond: 1000 } as const;

/** A frame with something in it allows for this many without, such as window updates. */
const IDLE_FRAMES_EARNED = 4;

/** Streams reset before their answer was complete: all, when a proxy's clients leave, and more later. */
const RESETS = { burstLeast: 1000, perSecond: 10_000 } as const;

/** Ends a connection whose client makes work and asks for none. */
export class FloodGuard {
  readonly #idleFrames: Allowance;
  readonly #resets: Allowance;

  constructor(streamsMax: number, nowMs: number) {
    this.#idleFrames = new Allowance(IDLE_FRAMES.burst, IDLE_FRAMES.perSecond, nowMs);
    const burst = Math.max(RESETS.burstLeast, streamsMax);
    this.#resets = new Allowance(burst, RESETS.perSecond, nowMs);
  }

  /** A frame with something in it, either way. */
  carried(): void {
    this.#idleFrames.earn(IDLE_FRAMES_EARNED);
  }

  /** A frame of the client's without; throws H2Fault. */
  idle(nowMs: number): void {
    if (!this.#idleFrames.spend(nowMs)) throw flood("frames that carry nothing");
  }

  /** A stream that the client reset before its end, or had reset by a breach; throws H2Fault. */
  reset(nowMs: number): void {
    if (!this.#resets.spend(nowMs)) throw flood("resets");
  }
}

/** A number that is spent by ones, and grows with time, up to its beginning. */
class Allowance {
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;
  #sinceMs: number;

  constructor(burst: number, perSecond: number, nowMs: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#left = burst;
    this.#sinceMs = nowMs;
  }

  spend(nowMs: number): boolean {
    if (this.#left < 1) {
      this.earn(((nowMs - this.#sinceMs) / 1000) * this.#perSecond);
      this.#sinceMs = nowMs;
    }
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }

  earn(count: number): void {
    this.#left = Math.min(this.#burst, this.#left + count);
  }
}

function flood(what: string): H2Fault {
  return new H2Fault(H2_ERROR.enhanceYourCalm, `the client sent too many ${what}`);
}

import type { Rejection } from "../../core/rejection.ts";
import type { BodyBudget } from "../http/body-budget.ts";

/** What collecting needs of the stream that the body comes by. */
export interface BodySource {
  pause(): void;
  resume(): void;
  /** The body cannot be had; what was collected is gone. */
  refused(rejection: Rejection): void;
}

/** A body of unknown length asks the budget for this many bytes at a time. */
const STEP_BYTES = 64 * 1024;

/** Collects one body within its limit and the budget of all bodies. */
export class BodyCollector {
  readonly #budget: BodyBudget;
  readonly #bytesMax: number;
  readonly #source: BodySource;
  #chunks: Uint8Array[] = [];
  #sizeBytes = 0;
  #takenBytes = 0;
  #isWaiting = false;
  #isReleased = false;
  #whenWhole: ((body: Uint8Array) => void) | undefined;

  /** `declaredBytes` is what the headers announce; undefined where they do not. */
  constructor(
    limits: { readonly budget: BodyBudget; readonly bytesMax: number },
    declaredBytes: number | undefined,
    source: BodySource,
  ) {
    this.#budget = limits.budget;
    this.#bytesMax = limits.bytesMax;
    this.#source = source;
    this.#take(Math.min(declaredBytes ?? STEP_BYTES, limits.bytesMax));
  }

  push(chunk: Uint8Array): void {
    if (this.#isReleased || chunk.length === 0) return;
    this.#sizeBytes += chunk.length;
    if (this.#sizeBytes > this.#bytesMax) {
      this.#refuse({
        reason: "body-too-large",
        message: `the body is over ${this.#bytesMax} bytes`,
      });
      return;
    }
    this.#chunks.push(chunk);
    const missing = this.#sizeBytes - this.#takenBytes;
    if (missing <= 0 || this.#isWaiting) return;
    this.#take(Math.min(Math.max(missing, STEP_BYTES), this.#bytesMax - this.#takenBytes));
  }

  /** The body is whole: hands it out at once, or as soon as there is room for all of it. */
  finish(whenWhole: (body: Uint8Array) => void): void {
    if (this.#isReleased) return;
    this.#whenWhole = whenWhole;
    if (!this.#isWaiting) this.#handOut();
  }

  /** Gives the room back; the body is no longer held. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#chunks = [];
    this.#budget.give(this.#takenBytes);
  }

  #handOut(): void {
    const [only] = this.#chunks;
    const body =
      only !== undefined && this.#chunks.length === 1 ? only : Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#whenWhole?.(body);
  }

  /** Nothing further is read while the body waits for room; what came is one read of the socket at most. */
  #take(bytes: number): void {
    const room = this.#budget.take(bytes);
    if (room === true) {
      this.#takenBytes += bytes;
      return;
    }
    this.#isWaiting = true;
    this.#source.pause();
    void Promise.resolve(room).then((isGranted) => this.#settle(bytes, isGranted));
  }

  #settle(bytes: number, isGranted: boolean): void {
    this.#isWaiting = false;
    if (this.#isReleased) {
      if (isGranted) this.#budget.give(bytes);
      return;
    }
    if (!isGranted) {
      this.#refuse(OVERLOADED);
      return;
    }
    this.#takenBytes += bytes;
    const missing = this.#sizeBytes - this.#takenBytes;
    if (missing > 0) {
      this.#take(missing);
      if (this.#isWaiting) return;
    }
    this.#source.resume();
    if (this.#whenWhole !== undefined) this.#handOut();
  }

  #refuse(rejection: Rejection): void {
    this.release();
    this.#source.refused(rejection);
  }
}

const OVERLOADED: Rejection = {
  reason: "overloaded",
  message: "too many request bytes are held by the router; try again later",
};

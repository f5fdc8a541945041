import { H2_ERROR, H2Fault } from "./h2-protocol.ts";
import type { H2Stream } from "./h2-stream.ts";

/** Streams reset here whose client may still send; the oldest are forgotten. */
const RESET_STREAMS_MAX = 1000;

/** The streams of one connection: which are open, and which numbers were used (RFC 9113 5.1.1). */
export class StreamTable {
  readonly #open = new Map<number, H2Stream>();
  readonly #resetIds = new Set<number>();
  #lastId = 0;

  get openCount(): number {
    return this.#open.size;
  }

  /** The highest number that a client used. */
  get lastId(): number {
    return this.#lastId;
  }

  open(): Iterable<H2Stream> {
    return this.#open.values();
  }

  /** The stream, undefined once it is closed; throws for one that was never opened. */
  known(id: number): H2Stream | undefined {
    if (id > this.#lastId || id % 2 === 0) {
      throw new H2Fault(H2_ERROR.protocol, "the client sent a frame of a stream that is not open");
    }
    return this.#open.get(id);
  }

  /** Takes a number that is above all that were used. */
  use(id: number): void {
    this.#lastId = id;
  }

  add(stream: H2Stream): void {
    this.#open.set(stream.id, stream);
  }

  delete(id: number): void {
    this.#open.delete(id);
  }

  /** What its client sends of this closed stream crossed the reset, and is no breach. */
  noteReset(id: number): void {
    this.#resetIds.add(id);
    if (this.#resetIds.size <= RESET_STREAMS_MAX) return;
    for (const oldest of this.#resetIds) {
      this.#resetIds.delete(oldest);
      return;
    }
  }

  /** Whether a stream was reset here; `isEnd` tells that its client sends no more. */
  wasReset(id: number, isEnd: boolean): boolean {
    return isEnd ? this.#resetIds.delete(id) : this.#resetIds.has(id);
  }
}

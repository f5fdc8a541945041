import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type ErrorAnswer, errorBody } from "./error-answer.ts";

/** What the client does while an answer is under way. */
export interface ClientEvents {
  /** The connection is gone; nothing more can be written. Not called after `release`. */
  left(): void;
  /** A client that was slower than the engine took what was written. */
  drained(): void;
}

/**
 * The client's half of an exchange. A body that cannot be completed ends in a cut connection, never
 * in an end.
 */
export class ClientSide {
  readonly #response: ServerResponse;
  readonly #connection: Socket;
  readonly #events: ClientEvents;
  readonly #left: () => void;
  #isDraining = false;

  constructor(response: ServerResponse, events: ClientEvents) {
    this.#response = response;
    this.#events = events;
    // A pipelined request's response has no socket yet; its request always has.
    this.#connection = response.req.socket;
    this.#left = () => this.#events.left();
    this.#connection.once("close", this.#left);
  }

  /** Whether the client left before anything could be noticed. */
  get isGone(): boolean {
    return this.#connection.destroyed || this.#response.destroyed;
  }

  /** Whether the client can get trailers: they need a chunked body. */
  get takesTrailers(): boolean {
    const { httpVersionMajor, httpVersionMinor } = this.#response.req;
    return httpVersionMajor > 1 || httpVersionMinor >= 1;
  }

  get hasHead(): boolean {
    return this.#response.headersSent;
  }

  /**
   * Sends status and headers; those of a stream at once, others with the first bytes of the body.
   */
  head(status: number, headers: string[], isStream: boolean): void {
    this.#response.writeHead(status, headers);
    if (!isStream) return;
    this.#connection.setNoDelay(true);
    this.#response.flushHeaders();
  }

  /** False when the client is slower: write no more until `drained`. */
  write(chunk: Uint8Array): boolean {
    if (this.isGone || this.#response.write(chunk)) return true;
    if (!this.#isDraining) {
      this.#isDraining = true;
      this.#response.once("drain", () => {
        this.#isDraining = false;
        this.#events.drained();
      });
    }
    return false;
  }

  /** Ends a complete answer; a client that does not take the rest of it for `stallMs` is cut. */
  end(stallMs: number, trailers?: Readonly<Record<string, string>>): void {
    if (this.isGone) return;
    if (trailers !== undefined) this.#response.addTrailers(trailers);
    this.#response.end();
    if (this.#response.writableLength > 0) {
      this.#response.setTimeout(stallMs, () => this.#connection.destroy());
    }
  }

  /** Answers with an error of our own; the head must not have been sent. */
  answer(error: ErrorAnswer, headers: readonly string[], stallMs: number): void {
    const body = errorBody(error);
    const length = String(body.length);
    const own = ["content-type", "application/json", "content-length", length];
    this.head(error.status, [...own, ...headers], false);
    this.write(body);
    this.end(stallMs);
  }

  /** Breaks the connection, so that the client sees that the answer is not complete. */
  cut(): void {
    this.#connection.destroy();
  }

  /** The exchange is over: later events are not its own. */
  release(): void {
    this.#connection.off("close", this.#left);
  }
}

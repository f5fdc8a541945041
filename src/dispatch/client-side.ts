import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type ErrorAnswer, errorBody } from "./error-answer.ts";
import { declaredBytes } from "./headers.ts";
import { type Corked, uncorkAfterTurn } from "./turn-cork.ts";

/** What the client does while an answer is under way. */
export interface ClientEvents {
  /** The connection is gone; nothing more can be written. Not called after `release`. */
  left(): void;
  /** A client that was slower than the engine took what was written. */
  drained(): void;
}

/** What a head says of the body behind it. */
export interface BodyKind {
  readonly isStream?: boolean;
  /** Whether it comes with the framing of chunks. */
  readonly isChunked?: boolean;
}

interface Ending {
  readonly stallMs: number;
  readonly trailers: Readonly<Record<string, string>> | undefined;
}

// Above it the engine is held back; a write that the kernel took at once counts for nothing.
const MAX_UNSENT_BYTES = 64 * 1024;
// Up to here node:http joins head and body into one write, at the price of a copy.
const MAX_JOINED_BYTES = 16 * 1024;

/**
 * The client's half of an exchange. A body that cannot be completed ends in a cut connection, never
 * in an end.
 */
export class ClientSide implements Corked {
  readonly #response: ServerResponse;
  readonly #connection: Socket;
  readonly #events: ClientEvents;
  readonly #left = (): void => this.#events.left();
  #isDraining = false;
  #isRelaying = false;
  #isHeadFlushed = false;
  #isCorked = false;
  #ending: Ending | undefined;
  /** Of the whole body; -1 when it is not known. */
  #declaredBytes = -1;
  /** A body in one piece, which leaves with the head. */
  #wholeBody: Uint8Array | undefined;

  constructor(response: ServerResponse, events: ClientEvents) {
    this.#response = response;
    this.#events = events;
    // A pipelined request's response has no socket yet; its request always has.
    this.#connection = response.req.socket;
    // Not once: that wraps the function anew for each request.
    this.#connection.on("close", this.#left);
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

  /** Whether the body is to be given to `relay` with its framing instead of to `write`. */
  get isRelaying(): boolean {
    return this.#isRelaying;
  }

  /**
   * Sends status and headers; those of a stream at once, others with the first bytes of the body. A
   * chunked body keeps its framing where the client understands it and its turn has come: a
   * pipelined response without a socket has to wait in node:http's own queue.
   */
  head(status: number, headers: string[], body: BodyKind = {}): void {
    const { isStream = false, isChunked = false } = body;
    this.#isRelaying =
      isChunked && this.takesTrailers && this.#response.socket === this.#connection;
    // node:http writes the last chunk only of a coding that it has been told of.
    if (this.#isRelaying) headers.push("transfer-encoding", "chunked");
    else this.#declaredBytes = declaredBytes(headers);
    this.#response.writeHead(status, headers);
    if (!isStream) return;
    this.#cork();
    this.#connection.setNoDelay(true);
    this.#flushHead();
  }

  /** False when the client is slower: write no more until `drained`. */
  write(chunk: Uint8Array): boolean {
    if (this.isGone) return true;
    if (chunk.length === this.#declaredBytes) {
      this.#wholeBody = chunk;
      return true;
    }
    this.#cork();
    return this.#response.write(chunk) || !this.#isFull(this.#response);
  }

  /**
   * Writes a part of a chunked body as the engine framed it, past node:http, which ends it all the
   * same. False as for `write`.
   */
  relay(bytes: Uint8Array, isLast: boolean): boolean {
    if (this.isGone) return true;
    const connection = this.#connection;
    // A lone write is not worth the stream's queue.
    if (isLast || !this.#isHeadFlushed) this.#cork();
    this.#flushHead();
    return connection.write(bytes) || isLast || !this.#isFull(connection);
  }

  /** Ends a complete answer; a client that does not take the rest of it for `stallMs` is cut. */
  end(stallMs: number, trailers?: Readonly<Record<string, string>>): void {
    // node:http writes at once when it ends a response, corked or not.
    this.#ending = { stallMs, trailers };
    this.#cork();
  }

  /** Lets what was written leave. */
  uncork(): void {
    if (!this.#isCorked) return;
    this.#isCorked = false;
    if (this.#ending !== undefined) this.#end(this.#ending);
    this.#connection.uncork();
  }

  drop(error: Error): void {
    this.#connection.destroy(error);
  }

  /** Answers with an error of our own; the head must not have been sent. */
  answer(error: ErrorAnswer, headers: readonly string[], stallMs: number): void {
    const body = errorBody(error);
    const length = String(body.length);
    const own = ["content-type", "application/json", "content-length", length];
    this.head(error.status, [...own, ...headers]);
    this.write(body);
    this.end(stallMs);
  }

  /** Breaks the connection, so that the client sees that the answer is not complete. */
  cut(): void {
    this.uncork();
    this.#connection.destroy();
  }

  /** The exchange is over: later events are not its own. */
  release(): void {
    this.#connection.off("close", this.#left);
  }

  /** What is written from now on leaves at the end of the turn. */
  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#connection.cork();
    uncorkAfterTurn(this);
  }

  #end({ stallMs, trailers }: Ending): void {
    this.#ending = undefined;
    if (this.isGone) return;
    const response = this.#response;
    const body = this.#wholeBody;
    if (trailers !== undefined) response.addTrailers(trailers);
    if (body === undefined) response.end();
    else if (body.length > MAX_JOINED_BYTES) response.end(body);
    else response.end(latin1Of(body), "latin1");
    if (response.writableLength > 0) {
      response.setTimeout(stallMs, () => this.#connection.destroy());
    }
  }

  #flushHead(): void {
    // Once more it would be an empty write.
    if (!this.#isHeadFlushed) this.#response.flushHeaders();
    this.#isHeadFlushed = true;
  }

  /** Whether too much is unsent; then `drained` follows. */
  #isFull(written: ServerResponse | Socket): boolean {
    if (written.writableLength <= MAX_UNSENT_BYTES) return false;
    this.uncork();
    if (written.writableLength <= MAX_UNSENT_BYTES) return false;
    if (this.#isDraining) return true;
    this.#isDraining = true;
    written.once("drain", () => {
      this.#isDraining = false;
      this.#events.drained();
    });
    return true;
  }
}

function latin1Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

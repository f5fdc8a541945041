import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { type Corked, uncorkAfterTurn } from "./turn-cork.ts";

/** What is written: a head, then a body that is here or that comes. */
export interface Outgoing {
  /** With its empty line. */
  readonly head: string;
  readonly body: readonly Uint8Array[] | Readable | undefined;
  readonly isBodyChunked: boolean;
}

/** Whether a body is here, in pieces, and not one that comes. */
export function isHeld(body: Outgoing["body"]): body is readonly Uint8Array[] {
  return Array.isArray(body);
}

// Up to here copying a body behind its head costs less than a second buffer in the system call.
const ONE_WRITE_BYTES = 32 * 1024;

/** Writes one request; a body that comes is read no faster than the engine takes it. */
export class BodyWriter implements Corked {
  readonly #socket: Socket;
  readonly #outgoing: Outgoing;
  #stop: () => void = () => undefined;
  /** A body that leaves together with the head at the end of the turn. */
  #held: Uint8Array | undefined;
  #isEnded = true;

  constructor(socket: Socket, outgoing: Outgoing) {
    this.#socket = socket;
    this.#outgoing = outgoing;
  }

  /** Whether nothing of the request is left here. */
  get isDone(): boolean {
    return this.#isEnded && this.#held === undefined && this.#socket.writableLength === 0;
  }

  /** Begins; `failed` hears of a body that broke off. */
  start(failed: (error: Error) => void): void {
    const { head, body } = this.#outgoing;
    const socket = this.#socket;
    const only = isHeld(body) && body.length === 1 ? body[0] : undefined;
    if (only !== undefined && head.length + only.length <= ONE_WRITE_BYTES) {
      this.#held = only;
    } else {
      socket.cork();
      socket.write(head, "latin1");
      if (isHeld(body)) for (const piece of body) socket.write(piece);
      else if (body !== undefined) this.#pass(body, failed);
    }
    uncorkAfterTurn(this);
  }

  uncork(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) this.#socket.uncork();
    else if (!this.#socket.destroyed) writeAtOnce(this.#socket, this.#outgoing.head, held);
  }

  drop(error: Error): void {
    this.#socket.destroy(error);
  }

  /** Takes no more of a body that comes. */
  stop(): void {
    this.#stop();
  }

  #pass(body: Readable, failed: (error: Error) => void): void {
    const socket = this.#socket;
    this.#isEnded = false;
    const onDrain = (): void => {
      body.resume();
    };
    const onData = (chunk: Buffer): void => {
      if (!this.#writeChunk(chunk)) body.pause();
    };
    const onEnd = (): void => {
      this.#isEnded = true;
      if (this.#outgoing.isBodyChunked) socket.write("0\r\n\r\n", "latin1");
    };
    const onBreak = (): void => {
      if (!this.#isEnded) failed(new Error("the request's body broke off"));
    };
    const stop = (): void => {
      socket.off("drain", onDrain);
      body.off("data", onData).off("end", onEnd).off("error", onBreak).off("close", onBreak);
      // Nobody reads the rest.
      if (!this.#isEnded) body.destroy();
    };
    // By its name: a function written here would be old garbage from the start (docs/decisions/013).
    this.#stop = stop;
    socket.on("drain", onDrain);
    body.on("data", onData).on("end", onEnd).on("error", onBreak).on("close", onBreak);
  }

  #writeChunk(chunk: Buffer): boolean {
    if (!this.#outgoing.isBodyChunked || chunk.length === 0) return this.#socket.write(chunk);
    this.#socket.cork();
    this.#socket.write(`${chunk.length.toString(16)}\r\n`, "latin1");
    this.#socket.write(chunk);
    const isRoom = this.#socket.write("\r\n", "latin1");
    this.#socket.uncork();
    return isRoom;
  }
}

/**
 * The kernel nearly always takes a whole write at once, and then this memory serves the next one: a
 * buffer for each request of 16 KB made the heap collect itself twice as often.
 */
let outgoing = Buffer.allocUnsafeSlow(ONE_WRITE_BYTES);

function writeAtOnce(socket: Socket, head: string, body: Uint8Array): void {
  outgoing.write(head, "latin1");
  outgoing.set(body, head.length);
  socket.write(outgoing.subarray(0, head.length + body.length));
  // The rest of it waits in the socket's queue.
  if (socket.writableLength > 0) outgoing = Buffer.allocUnsafeSlow(ONE_WRITE_BYTES);
}

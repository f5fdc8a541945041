import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { type Corked, uncorkAfterTurn } from "./turn-cork.ts";

/** What is written: a head, then a body that is here or that comes. */
export interface Outgoing {
  /** With its empty line. */
  readonly head: string;
  readonly body: Uint8Array | Readable | undefined;
  readonly isBodyChunked: boolean;
}

// Up to here copying a body behind its head costs less than a second buffer in the system call.
const ONE_WRITE_BYTES = 32 * 1024;

/** Writes one request; a body that comes is read no faster than the engine takes it. */
export class BodyWriter implements Corked {
  readonly #socket: Socket;
  readonly #outgoing: Outgoing;
  #stop: () => void = () => undefined;
  #isEnded = true;

  constructor(socket: Socket, outgoing: Outgoing) {
    this.#socket = socket;
    this.#outgoing = outgoing;
  }

  /** Whether nothing of the request is left here. */
  get isDone(): boolean {
    return this.#isEnded && this.#socket.writableLength === 0;
  }

  /** Begins; `failed` hears of a body that broke off. */
  start(failed: (error: Error) => void): void {
    const { head, body } = this.#outgoing;
    const socket = this.#socket;
    socket.cork();
    uncorkAfterTurn(this);
    if (body === undefined) {
      socket.write(head, "latin1");
    } else if (!(body instanceof Uint8Array)) {
      socket.write(head, "latin1");
      this.#pass(body, failed);
    } else if (body.length <= ONE_WRITE_BYTES) {
      const whole = Buffer.allocUnsafe(head.length + body.length);
      whole.write(head, "latin1");
      whole.set(body, head.length);
      socket.write(whole);
    } else {
      socket.write(head, "latin1");
      socket.write(body);
    }
  }

  uncork(): void {
    this.#socket.uncork();
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
    this.#stop = () => {
      socket.off("drain", onDrain);
      body.off("data", onData).off("end", onEnd).off("error", onBreak).off("close", onBreak);
      // Nobody reads the rest.
      if (!this.#isEnded) body.destroy();
    };
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

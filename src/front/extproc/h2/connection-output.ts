import type { Duplex } from "node:stream";
import { FrameWriter } from "./frame-writer.ts";
import { FRAME, WINDOW_BYTES_DEFAULT, WINDOW_BYTES_MAX } from "./h2-protocol.ts";
import type { H2Stream } from "./h2-stream.ts";

/** Bodies wait in their streams while this much is gathered. */
const GATHERED_BYTES_MAX = 1024 * 1024;

/** A client that leaves so much unread is itself not read from until it took it. */
const UNREAD_BYTES_MAX = 4 * 1024 * 1024;

/** Bytes held back for a client that gives no window: the full windows of 4,000 streams. */
const UNSENT_BYTES_MAX = 1024 * 1024 * 1024;

/** What a connection sends: frames of one turn in one write, bodies within the windows. */
export class ConnectionOutput {
  readonly #socket: Duplex;
  readonly #settle: () => void;
  readonly #writer = new FrameWriter();
  readonly #waiting = new Set<H2Stream>();
  #windowBytes = WINDOW_BYTES_DEFAULT;
  #queuedBytes = 0;
  #isClogged = false;
  #isScheduled = false;

  /** `settle` is called after each turn in which something was sent, before it leaves. */
  constructor(socket: Duplex, settle: () => void) {
    this.#socket = socket;
    this.#settle = settle;
    socket.on("drain", () => {
      this.#isClogged = false;
      socket.resume();
      this.#pump();
    });
  }

  /** Bytes of bodies that can be sent now. */
  get sendableBytes(): number {
    const isFull = this.#isClogged || this.#writer.sizeBytes >= GATHERED_BYTES_MAX;
    return isFull ? 0 : this.#windowBytes;
  }

  /** Whether the client left so much unread that it is to be cut off. */
  get isOverfull(): boolean {
    const unsentBytes = this.#socket.writableLength + this.#writer.sizeBytes + this.#queuedBytes;
    return unsentBytes > UNSENT_BYTES_MAX;
  }

  frame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    this.schedule();
    this.#writer.frame(type, flags, streamId, payload);
  }

  /** A frame whose payload is one number. */
  number(type: number, streamId: number, value: number): void {
    this.schedule();
    this.#writer.number(type, streamId, value);
  }

  data(streamId: number, bytes: Uint8Array): void {
    this.#windowBytes -= bytes.length;
    this.frame(FRAME.data, 0, streamId, bytes);
  }

  /** The stream is pumped once there is window and room. */
  wait(stream: H2Stream): void {
    this.#waiting.add(stream);
  }

  forget(stream: H2Stream): void {
    this.#waiting.delete(stream);
  }

  queued(bytes: number): void {
    this.#queuedBytes += bytes;
  }

  /** The client takes more; false when its window is too large. */
  grow(bytes: number): boolean {
    this.#windowBytes += bytes;
    if (this.#windowBytes > WINDOW_BYTES_MAX) return false;
    this.#pump();
    return true;
  }

  /** Has all sent once every socket was read: more answers leave together than at a tick. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#settle();
      this.flush();
    });
  }

  flush(): void {
    const parts = this.#writer.take();
    const [only] = parts;
    if (only === undefined || !this.#socket.writable) return;
    if (parts.length === 1) {
      this.#isClogged = !this.#socket.write(only);
    } else {
      this.#socket.cork();
      for (const part of parts) this.#isClogged = !this.#socket.write(part);
      this.#socket.uncork();
    }
    if (this.#socket.writableLength > UNREAD_BYTES_MAX) this.#socket.pause();
    // What waited for room in this turn alone has nothing else to wake it.
    if (!this.#isClogged) this.#pump();
  }

  /** One that cannot send all waits again, behind the others. */
  #pump(): void {
    for (const stream of this.#waiting) {
      if (this.sendableBytes <= 0) return;
      this.#waiting.delete(stream);
      stream.pump();
    }
  }
}

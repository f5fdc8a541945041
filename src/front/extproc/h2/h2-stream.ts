import { FRAME_BYTES_MAX, H2_ERROR, type H2Error, WINDOW_BYTES_MAX } from "./h2-protocol.ts";

import { ReceiveWindow } from "./receive-window.ts";

/** Window of a stream: a body's chunk in flight must not wait for the round trip of an update. */
export const STREAM_WINDOW_BYTES: number = 256 * 1024;

/** What is done with a stream; `closed` comes last, exactly once, however it ends. None may throw. */
export interface StreamListener {
  /** The bytes are the listener's to keep. */
  data(bytes: Buffer): void;
  /** The client sends no more. */
  ended(): void;
  /** All that was written while `write` gave false has left. */
  drained(): void;
  closed(): void;
}

/** What a stream needs of its connection. */
export interface StreamPort {
  /** Bytes of bodies that can be sent now. */
  readonly sendableBytes: number;
  sendHeaders(stream: H2Stream, block: Buffer, isEnd: boolean): void;
  sendData(stream: H2Stream, bytes: Uint8Array): void;
  sendReset(stream: H2Stream, code: H2Error): void;
  /** The stream's window grows again. */
  sendCredit(stream: H2Stream, bytes: number): void;
  /** `pump` is to be called once there is more to send by. */
  wait(stream: H2Stream): void;
  /** Bytes wait in a stream's queue, or, below zero, no longer do. */
  queued(bytes: number): void;
  /** Both halves are over. */
  over(stream: H2Stream): void;
}

/** One stream of a connection (RFC 9113 5), opened by the client. */
export class H2Stream {
  readonly id: number;
  readonly #port: StreamPort;
  #listener: StreamListener = DEAF;
  readonly #window = new ReceiveWindow(STREAM_WINDOW_BYTES);
  /** Received while paused. */
  #unreadBytes = 0;
  /** What the body has yet to bring; undefined where nobody told. */
  #missingBytes: number | undefined;
  #isPaused = false;
  #sendBytes: number;
  #queue: Uint8Array[] = [];
  #trailers: Buffer | undefined;
  #isSlow = false;
  #isRemoteOver = false;
  #isLocalOver = false;
  #isOver = false;

  constructor(
    id: number,
    port: StreamPort,
    traits: { readonly sendBytes: number; readonly contentLength: number | undefined },
  ) {
    this.id = id;
    this.#port = port;
    this.#sendBytes = traits.sendBytes;
    this.#missingBytes = traits.contentLength;
  }

  /** Whether something can still be sent. */
  get isWritable(): boolean {
    return !this.#isLocalOver && this.#trailers === undefined;
  }

  /** Whether the client has sent all. */
  get isRemoteOver(): boolean {
    return this.#isRemoteOver;
  }

  listen(listener: StreamListener): void {
    this.#listener = listener;
  }

  /** Sends the answer's head; nothing may have been written before. */
  respond(block: Buffer, isEnd: boolean): void {
    if (!this.isWritable) return;
    this.#port.sendHeaders(this, block, isEnd);
    if (isEnd) this.#endLocal();
  }

  /** False when the client is slower: write no more until `drained`. The bytes must not change afterwards. */
  write(bytes: Uint8Array): boolean {
    if (!this.isWritable) return true;
    const rest = this.#queue.length === 0 ? this.#send(bytes) : bytes;
    if (rest.length === 0) return true;
    this.#queue.push(rest);
    this.#port.queued(rest.length);
    this.#isSlow = true;
    return false;
  }

  /** Sends trailers after all that was written; nothing further is sent. */
  end(trailers: Buffer): void {
    if (!this.isWritable) return;
    this.#trailers = trailers;
    if (this.#queue.length === 0) this.#sendTrailers();
  }

  /** Ends both halves at once. */
  reset(code: H2Error): void {
    if (this.#isOver) return;
    this.#port.sendReset(this, code);
    this.abandon();
  }

  /** The client gets no more window than it has; what that still allows is handed out. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#consume(this.#unreadBytes);
    this.#unreadBytes = 0;
  }

  /** Takes the payload of a DATA frame; `frameBytes` is what it takes of the windows. */
  receive(bytes: Buffer, frameBytes: number): void {
    if (this.#missingBytes !== undefined) this.#missingBytes -= bytes.length;
    if (!this.#window.take(frameBytes)) this.reset(H2_ERROR.flowControl);
    else if ((this.#missingBytes ?? 0) < 0) this.reset(H2_ERROR.protocol);
    else if (bytes.length > 0) this.#listener.data(bytes);
    if (this.#isPaused) this.#unreadBytes += frameBytes;
    else this.#consume(frameBytes);
  }

  receiveEnd(): void {
    if (this.#isRemoteOver) return;
    if ((this.#missingBytes ?? 0) !== 0) {
      this.reset(H2_ERROR.protocol);
      return;
    }
    this.#isRemoteOver = true;
    this.#listener.ended();
    this.#endIfOver();
  }

  /** The client allows for more, or, below zero, less; false when its window is too large. */
  grow(bytes: number): boolean {
    this.#sendBytes += bytes;
    if (this.#sendBytes > WINDOW_BYTES_MAX) return false;
    if (bytes > 0) this.pump();
    return true;
  }

  /** Sends what waits, as far as it can go. */
  pump(): void {
    while (this.#queue.length > 0) {
      const head = this.#queue[0] as Uint8Array;
      const rest = this.#send(head);
      this.#port.queued(rest.length - head.length);
      if (rest.length > 0) {
        this.#queue[0] = rest;
        return;
      }
      this.#queue.shift();
    }
    if (this.#trailers !== undefined) this.#sendTrailers();
    else if (this.#isSlow) {
      this.#isSlow = false;
      this.#listener.drained();
    }
  }

  /** Ends both halves without a word: the client reset the stream, or the connection is gone. */
  abandon(): void {
    this.#isLocalOver = true;
    this.#isRemoteOver = true;
    this.#endIfOver();
  }

  /** Tells the listener that it is over; to be called once, after `over`. */
  close(): void {
    for (const bytes of this.#queue) this.#port.queued(-bytes.length);
    this.#queue = [];
    const listener = this.#listener;
    this.#listener = DEAF;
    listener.closed();
  }

  /** Sends as many frames as the windows take; returns what is left. */
  #send(bytes: Uint8Array): Uint8Array {
    let from = 0;
    while (from < bytes.length) {
      const room = Math.min(this.#sendBytes, this.#port.sendableBytes, FRAME_BYTES_MAX);
      if (room <= 0) {
        // More of the stream's own window comes by its number.
        if (this.#sendBytes > 0) this.#port.wait(this);
        return bytes.subarray(from);
      }
      const frame = from === 0 && bytes.length <= room ? bytes : bytes.subarray(from, from + room);
      this.#port.sendData(this, frame);
      this.#sendBytes -= frame.length;
      from += frame.length;
    }
    return NO_BYTES;
  }

  #sendTrailers(): void {
    const trailers = this.#trailers;
    if (trailers === undefined || this.#isLocalOver) return;
    this.#port.sendHeaders(this, trailers, true);
    this.#endLocal();
  }

  #endLocal(): void {
    this.#isLocalOver = true;
    this.#endIfOver();
  }

  #endIfOver(): void {
    if (this.#isOver || !this.#isLocalOver || !this.#isRemoteOver) return;
    this.#isOver = true;
    this.#port.over(this);
  }

  #consume(bytes: number): void {
    const told = this.#window.free(bytes);
    if (told > 0 && !this.#isRemoteOver) this.#port.sendCredit(this, told);
  }
}

const NO_BYTES = new Uint8Array();

/** Hears nothing. */
export const DEAF: StreamListener = {
  data: () => undefined,
  ended: () => undefined,
  drained: () => undefined,
  closed: () => undefined,
};

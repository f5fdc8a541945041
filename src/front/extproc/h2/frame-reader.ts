import { FRAME_BYTES_MAX, FRAME_HEAD_BYTES, H2_ERROR, H2Fault, PREFACE } from "./h2-protocol.ts";

/** Takes a whole frame; the payload is the taker's to keep. */
export type FrameTaker = (type: number, flags: number, streamId: number, payload: Buffer) => void;

/** Cuts what a client sends into frames. */
export class FrameReader {
  readonly #take: FrameTaker;
  #prefaceBytes = 0;
  readonly #head = Buffer.alloc(FRAME_HEAD_BYTES);
  #headBytes = 0;
  /** A frame that has begun in a chunk before; undefined while its head is not whole. */
  #payload: Buffer | undefined;
  #payloadBytes = 0;

  constructor(take: FrameTaker) {
    this.#take = take;
  }

  /** Whether the preface has come. */
  get isOpen(): boolean {
    return this.#prefaceBytes === PREFACE.length;
  }

  /** Hands out every frame that the chunk completes; throws H2Fault for one that cannot be read. */
  push(chunk: Buffer): void {
    let at = this.isOpen ? 0 : this.#readPreface(chunk);
    if (this.#headBytes > 0) at = this.#continueFrame(chunk, at);
    while (chunk.length - at >= FRAME_HEAD_BYTES) {
      const from = at + FRAME_HEAD_BYTES;
      const to = from + payloadBytesOf(chunk, at);
      if (to > chunk.length) break;
      this.#hand(chunk, at, chunk.subarray(from, to));
      at = to;
    }
    if (at < chunk.length) this.#continueFrame(chunk, at);
  }

  #readPreface(chunk: Buffer): number {
    const count = Math.min(chunk.length, PREFACE.length - this.#prefaceBytes);
    const end = this.#prefaceBytes + count;
    if (PREFACE.compare(chunk, 0, count, this.#prefaceBytes, end) !== 0) {
      throw new H2Fault(H2_ERROR.protocol, "the connection does not begin as HTTP/2 does");
    }
    this.#prefaceBytes = end;
    return count;
  }

  /** Collects a frame that is cut; returns how much of the chunk was taken. */
  #continueFrame(chunk: Buffer, from: number): number {
    let at = from;
    if (this.#payload === undefined) {
      const headCount = chunk.copy(this.#head, this.#headBytes, at);
      this.#headBytes += headCount;
      at += headCount;
      if (this.#headBytes < FRAME_HEAD_BYTES) return at;
      // A buffer of its own: parts of it may be kept for long.
      this.#payload = Buffer.allocUnsafeSlow(payloadBytesOf(this.#head, 0));
      this.#payloadBytes = 0;
    }
    const payload = this.#payload;
    const count = chunk.copy(payload, this.#payloadBytes, at);
    this.#payloadBytes += count;
    if (this.#payloadBytes < payload.length) return at + count;
    this.#payload = undefined;
    this.#headBytes = 0;
    this.#hand(this.#head, 0, payload);
    return at + count;
  }

  #hand(head: Buffer, at: number, payload: Buffer): void {
    // The highest bit of the stream's number is reserved.
    const streamId = head.readUInt32BE(at + 5) & 0x7fff_ffff;
    this.#take(head[at + 3] as number, head[at + 4] as number, streamId, payload);
  }
}

function payloadBytesOf(head: Buffer, at: number): number {
  const payloadBytes = head.readUIntBE(at, 3);
  if (payloadBytes <= FRAME_BYTES_MAX) return payloadBytes;
  throw new H2Fault(H2_ERROR.frameSize, `a frame has more than ${FRAME_BYTES_MAX} bytes`);
}

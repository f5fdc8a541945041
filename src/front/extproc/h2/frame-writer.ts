import { FRAME_HEAD_BYTES, writeFrameHead } from "./h2-protocol.ts";

/** Bytes of one allocation; frames are laid into it one after the other. */
const SLAB_BYTES = 64 * 1024;

/** A payload of this size is written as it is: to copy it would cost more than a part of its own. */
const COPIED_BYTES_MAX = 4096;

/** Gathers frames, so that all that answer one read leave in one write. */
export class FrameWriter {
  #slab: Buffer = NO_BYTES;
  /** What of the slab is gathered and not yet a part. */
  #from = 0;
  #to = 0;
  #parts: Buffer[] = [];
  #partBytes = 0;
  readonly #number = Buffer.alloc(4);

  /** Bytes gathered. */
  get sizeBytes(): number {
    return this.#partBytes + this.#to - this.#from;
  }

  frame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    const payloadBytes = payload.length;
    const isCopied = payloadBytes <= COPIED_BYTES_MAX;
    this.#reserve(FRAME_HEAD_BYTES + (isCopied ? payloadBytes : 0));
    this.#to = writeFrameHead(this.#slab, this.#to, payloadBytes, type, flags, streamId);
    if (isCopied) {
      this.#slab.set(payload, this.#to);
      this.#to += payloadBytes;
      return;
    }
    this.#close();
    this.#parts.push(Buffer.from(payload.buffer, payload.byteOffset, payloadBytes));
    this.#partBytes += payloadBytes;
  }

  /** A frame whose payload is one number. */
  number(type: number, streamId: number, value: number): void {
    this.#number.writeUInt32BE(value);
    this.frame(type, 0, streamId, this.#number);
  }

  /** Hands out what was gathered, in order; the bytes are never written to again. */
  take(): readonly Buffer[] {
    this.#close();
    const parts = this.#parts;
    this.#parts = [];
    this.#partBytes = 0;
    return parts;
  }

  #close(): void {
    if (this.#to === this.#from) return;
    this.#parts.push(this.#slab.subarray(this.#from, this.#to));
    this.#partBytes += this.#to - this.#from;
    this.#from = this.#to;
  }

  #reserve(bytes: number): void {
    if (this.#slab.length - this.#to >= bytes) return;
    this.#close();
    this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    this.#from = 0;
    this.#to = 0;
  }
}

const NO_BYTES = Buffer.alloc(0);

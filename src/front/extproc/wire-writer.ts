import { FRAME_HEAD_BYTES, writeFrameHead } from "./grpc-frames.ts";
import { WIRE } from "./wire-cursor.ts";

/** Room that most answers fit in. */
const ROOM_BYTES = 1024;

/**
 * Writes one protobuf message from its end to its beginning: the length of what is nested is known by the
 * time it is written, so nothing is measured or moved. Fields are therefore written last to first.
 */
export class WireWriter {
  #bytes: Buffer;
  #at: number;

  /** `roomBytes` is what the message is likely to take; it may take more. */
  constructor(roomBytes: number = ROOM_BYTES) {
    this.#bytes = Buffer.allocUnsafe(roomBytes);
    this.#at = roomBytes;
  }

  /** Where a nested message ends: to be called before its fields, for `close`. */
  open(): number {
    return this.#bytes.length - this.#at;
  }

  /** Makes a field of what was written since `open`. */
  close(field: number, opened: number): void {
    this.#tag(field, this.#bytes.length - this.#at - opened);
  }

  text(field: number, text: string): void {
    const sizeBytes = Buffer.byteLength(text);
    this.#reserve(sizeBytes);
    this.#at -= sizeBytes;
    this.#bytes.write(text, this.#at, sizeBytes);
    this.#tag(field, sizeBytes);
  }

  bytes(field: number, bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#at -= bytes.length;
    this.#bytes.set(bytes, this.#at);
    this.#tag(field, bytes.length);
  }

  number(field: number, value: number): void {
    this.#varint(value);
    this.#varint((field << 3) | WIRE.varint);
  }

  double(field: number, value: number): void {
    this.#reserve(DOUBLE_BYTES);
    this.#at -= DOUBLE_BYTES;
    this.#bytes.writeDoubleLE(value, this.#at);
    this.#varint((field << 3) | WIRE.fixed64);
  }

  /** The message with the head of its gRPC frame; nothing can be written afterwards. */
  frame(): Buffer {
    const messageBytes = this.#bytes.length - this.#at;
    this.#reserve(FRAME_HEAD_BYTES);
    this.#at -= FRAME_HEAD_BYTES;
    const frame = this.#bytes.subarray(this.#at);
    writeFrameHead(frame, messageBytes);
    return frame;
  }

  #tag(field: number, lengthBytes: number): void {
    this.#varint(lengthBytes);
    this.#varint((field << 3) | WIRE.bytes);
  }

  #varint(value: number): void {
    this.#reserve(VARINT_BYTES);
    if (value < 0x80) {
      this.#bytes[--this.#at] = value;
      return;
    }
    let count = 1;
    for (let rest = value >>> 7; rest > 0; rest >>>= 7) count++;
    this.#at -= count;
    let to = this.#at;
    let rest = value;
    for (; rest >= 0x80; rest >>>= 7) this.#bytes[to++] = (rest & 0x7f) | 0x80;
    this.#bytes[to] = rest;
  }

  #reserve(bytes: number): void {
    if (this.#at >= bytes) return;
    const writtenBytes = this.#bytes.length - this.#at;
    const grown = Buffer.allocUnsafe(2 * (writtenBytes + bytes));
    this.#bytes.copy(grown, grown.length - writtenBytes, this.#at);
    this.#at = grown.length - writtenBytes;
    this.#bytes = grown;
  }
}

const DOUBLE_BYTES = 8;

/** Bytes of a varint of 32 bits. */
const VARINT_BYTES = 5;

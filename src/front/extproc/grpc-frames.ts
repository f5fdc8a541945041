import { GRPC_STATUS, GrpcFault } from "./grpc-status.ts";

/** Bytes before each message: a flag for compression and a big-endian length (gRPC over HTTP/2). */
export const FRAME_HEAD_BYTES = 5;

/** The message with its head. */
export function frameOf(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + message.length);
  writeFrameHead(frame, message.length);
  frame.set(message, FRAME_HEAD_BYTES);
  return frame;
}

/** Writes the head of an uncompressed message to the frame's beginning. */
export function writeFrameHead(frame: Buffer, messageBytes: number): void {
  frame[0] = 0;
  frame.writeUInt32BE(messageBytes, 1);
}

/** Cuts the bytes of a stream into messages. */
export class FrameReader {
  readonly #messageBytesMax: number;
  #parts: Buffer[] = [];
  #heldBytes = 0;
  /** Bytes that the next frame needs, its head included; the head alone while that is not known. */
  #neededBytes = FRAME_HEAD_BYTES;

  constructor(messageBytesMax: number) {
    this.#messageBytesMax = messageBytesMax;
  }

  /** Whether a message has begun and not ended. */
  get isInMessage(): boolean {
    return this.#heldBytes > 0;
  }

  /** Hands out every message that the chunk completes; throws GrpcFault for one that cannot be read. */
  push(chunk: Buffer, take: (message: Buffer) => void): void {
    if (this.#heldBytes > 0) {
      this.#parts.push(chunk);
      this.#heldBytes += chunk.length;
      if (this.#heldBytes < this.#neededBytes) return;
    }
    let rest = this.#heldBytes > 0 ? Buffer.concat(this.#parts) : chunk;
    this.#parts = [];
    this.#heldBytes = 0;
    this.#neededBytes = FRAME_HEAD_BYTES;
    while (rest.length >= FRAME_HEAD_BYTES) {
      const end = FRAME_HEAD_BYTES + this.#messageBytes(rest);
      if (rest.length < end) {
        this.#neededBytes = end;
        break;
      }
      take(rest.subarray(FRAME_HEAD_BYTES, end));
      rest = rest.subarray(end);
    }
    if (rest.length === 0) return;
    this.#parts = [rest];
    this.#heldBytes = rest.length;
  }

  #messageBytes(frame: Buffer): number {
    if (frame[0] !== 0) {
      throw new GrpcFault(GRPC_STATUS.unimplemented, "compressed messages are not supported");
    }
    const messageBytes = frame.readUInt32BE(1);
    if (messageBytes <= this.#messageBytesMax) return messageBytes;
    const message = `a message is ${messageBytes} bytes; the limit is ${this.#messageBytesMax}`;
    throw new GrpcFault(GRPC_STATUS.resourceExhausted, message);
  }
}

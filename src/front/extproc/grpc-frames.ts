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

/** Bytes of messages that have begun and not ended, of all calls together. */
export class HeldBytes {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False, and nothing is added, when they would be more than the limit. */
  add(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** What messages may take. */
export interface MessageLimits {
  readonly messageBytesMax: number;
  readonly held: HeldBytes;
}

/** Cuts the bytes of a stream into messages. */
export class MessageReader {
  readonly #limits: MessageLimits;
  readonly #take: (message: Buffer) => void;
  #parts: Buffer[] = [];
  #heldBytes = 0;
  /** Bytes that the next frame needs, its head included; the head alone while that is not known. */
  #neededBytes = FRAME_HEAD_BYTES;

  /** `take` gets each message; its bytes are the taker's to keep. */
  constructor(limits: MessageLimits, take: (message: Buffer) => void) {
    this.#limits = limits;
    this.#take = take;
  }

  /** Whether a message has begun and not ended. */
  get isInMessage(): boolean {
    return this.#heldBytes > 0;
  }

  /** Hands out every message that the chunk completes; throws GrpcFault for one that cannot be read. */
  push(chunk: Buffer): void {
    const rest = this.#heldBytes > 0 ? this.#joined(chunk) : chunk;
    if (rest === undefined) return;
    let at = 0;
    while (rest.length - at >= FRAME_HEAD_BYTES) {
      const end = at + FRAME_HEAD_BYTES + this.#messageBytes(rest, at);
      if (rest.length < end) {
        this.#neededBytes = end - at;
        break;
      }
      const from = at + FRAME_HEAD_BYTES;
      at = end;
      this.#take(rest.subarray(from, end));
    }
    if (at < rest.length) this.#hold(rest.subarray(at));
  }

  /** Drops what has begun. */
  stop(): void {
    this.#parts = [];
    this.#limits.held.give(this.#heldBytes);
    this.#heldBytes = 0;
  }

  /** What is held with the chunk; undefined, and the chunk is held too, while the next frame is not whole. */
  #joined(chunk: Buffer): Buffer | undefined {
    if (this.#heldBytes + chunk.length < this.#neededBytes) {
      this.#hold(chunk);
      return undefined;
    }
    const joined = Buffer.concat([...this.#parts, chunk]);
    this.stop();
    this.#neededBytes = FRAME_HEAD_BYTES;
    return joined;
  }

  #hold(bytes: Buffer): void {
    if (!this.#limits.held.add(bytes.length)) {
      throw new GrpcFault(GRPC_STATUS.resourceExhausted, "too many messages have not ended");
    }
    this.#parts.push(bytes);
    this.#heldBytes += bytes.length;
  }

  #messageBytes(frames: Buffer, at: number): number {
    if (frames[at] !== 0) {
      throw new GrpcFault(GRPC_STATUS.unimplemented, "compressed messages are not supported");
    }
    const messageBytes = frames.readUInt32BE(at + 1);
    const { messageBytesMax } = this.#limits;
    if (messageBytes <= messageBytesMax) return messageBytes;
    const message = `a message is ${messageBytes} bytes; the limit is ${messageBytesMax}`;
    throw new GrpcFault(GRPC_STATUS.resourceExhausted, message);
  }
}

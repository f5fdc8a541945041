import { GRPC_STATUS, GrpcFault } from "./grpc-status.ts";

/** Wire types of protobuf that are in use. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Walks over a protobuf message and the messages within it without an object for each; throws GrpcFault. */
export class WireCursor {
  readonly #bytes: Buffer;
  #at = 0;
  #end: number;
  #wireType = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.length;
  }

  /** Number of the next field, 0 at the end of the message. */
  field(): number {
    if (this.#at >= this.#end) return 0;
    const tag = this.#varint();
    this.#wireType = tag & 7;
    const field = Math.floor(tag / 8);
    if (field === 0) throw malformed();
    return field;
  }

  /** Goes into the field's message until `leave` gets what this returns. */
  enter(): number {
    const outerEnd = this.#end;
    this.#end = this.#length();
    return outerEnd;
  }

  leave(outerEnd: number): void {
    this.#at = this.#end;
    this.#end = outerEnd;
  }

  /** The field's bytes, as a view. */
  bytes(): Buffer {
    const to = this.#length();
    const view = this.#bytes.subarray(this.#at, to);
    this.#at = to;
    return view;
  }

  /** The field's bytes as text. */
  text(encoding: "utf8" | "latin1"): string {
    const to = this.#length();
    const text = this.#bytes.toString(encoding, this.#at, to);
    this.#at = to;
    return text;
  }

  /** The field's number; of one beyond 2^53 only the size is true. */
  number(): number {
    if (this.#wireType !== WIRE.varint) throw malformed();
    return this.#varint();
  }

  /** Passes over a field that nobody asked for. */
  skip(): void {
    if (this.#wireType === WIRE.varint) this.#varint();
    else if (this.#wireType === WIRE.bytes) this.#at = this.#length();
    else if (this.#wireType === WIRE.fixed64) this.#move(8);
    else if (this.#wireType === WIRE.fixed32) this.#move(4);
    else throw malformed();
  }

  #varint(): number {
    let value = 0;
    // Ten bytes hold 64 bits.
    for (let i = 0, scale = 1; i < 10 && this.#at < this.#end; i++, scale *= 128) {
      const byte = this.#bytes[this.#at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw malformed();
  }

  /** Reads the length of a field; gives where it ends. */
  #length(): number {
    if (this.#wireType !== WIRE.bytes) throw malformed();
    const to = this.#varint() + this.#at;
    if (to > this.#end) throw malformed();
    return to;
  }

  #move(count: number): void {
    if (this.#at + count > this.#end) throw malformed();
    this.#at += count;
  }
}

function malformed(): GrpcFault {
  return new GrpcFault(GRPC_STATUS.invalidArgument, "the message is not a ProcessingRequest");
}

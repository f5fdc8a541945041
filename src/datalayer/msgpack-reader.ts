/** What is wrong with bytes that were to be MessagePack. */
export class MsgpackFault extends Error {}

/** What comes next. */
export type MsgpackKind = "nil" | "int" | "text" | "bin" | "array" | "map" | "other";

const DECODER = new TextDecoder();

/** Values in one another; vLLM's events have four levels. */
const DEPTH_MAX = 16;

/**
 * Reads MessagePack front to back. Nothing is made for a length that the rest of the bytes cannot hold, so
 * a few bytes never cost more than a few bytes of memory; that, and numbers that go into a typed array
 * unboxed, is why no library reads here. Whatever does not fit throws `MsgpackFault`.
 */
export class MsgpackReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** What `read` gives; undefined, and the value passed over, where it does not take what is there. */
  attempt<T>(read: () => T): T | undefined {
    const at = this.#at;
    try {
      return read();
    } catch (error) {
      if (!(error instanceof MsgpackFault)) throw error;
      this.#at = at;
      this.skip();
      return undefined;
    }
  }

  kind(): MsgpackKind {
    const tag = this.#peek();
    if (tag <= 0x7f || tag >= 0xe0 || (tag >= 0xcc && tag <= 0xd3)) return "int";
    if (tag <= 0x8f || tag === 0xde || tag === 0xdf) return "map";
    if (tag <= 0x9f || tag === 0xdc || tag === 0xdd) return "array";
    if (tag <= 0xbf || (tag >= 0xd9 && tag <= 0xdb)) return "text";
    if (tag >= 0xc4 && tag <= 0xc6) return "bin";
    return tag === 0xc0 ? "nil" : "other";
  }

  /** Takes a nil if one comes next. */
  nil(): boolean {
    const isNil = this.#peek() === 0xc0;
    if (isNil) this.#at++;
    return isNil;
  }

  /** Number of elements that follow. */
  array(): number {
    const tag = this.#take(1);
    if (tag >= 0x90 && tag <= 0x9f) return this.#held(tag & 0xf);
    if (tag === 0xdc) return this.#held(this.#uint(2));
    if (tag === 0xdd) return this.#held(this.#uint(4));
    throw new MsgpackFault("not an array");
  }

  /** Number of pairs that follow. */
  map(): number {
    const tag = this.#take(1);
    if (tag >= 0x80 && tag <= 0x8f) return this.#held(tag & 0xf);
    if (tag === 0xde) return this.#held(this.#uint(2));
    if (tag === 0xdf) return this.#held(this.#uint(4));
    throw new MsgpackFault("not a map");
  }

  text(bytesMax: number): string {
    const tag = this.#take(1);
    if (tag >= 0xa0 && tag <= 0xbf) return DECODER.decode(this.#slice(tag & 0x1f, bytesMax));
    if (tag < 0xd9 || tag > 0xdb) throw new MsgpackFault("not a text");
    return DECODER.decode(this.#slice(this.#uint(1 << (tag - 0xd9)), bytesMax));
  }

  bin(bytesMax: number): Uint8Array {
    const tag = this.#take(1);
    if (tag < 0xc4 || tag > 0xc6) throw new MsgpackFault("not bytes");
    return this.#slice(this.#uint(1 << (tag - 0xc4)), bytesMax);
  }

  /** A whole number; a bigint only beyond what a number holds exactly. */
  int(): number | bigint {
    const tag = this.#take(1);
    if (tag <= 0x7f) return tag;
    if (tag >= 0xe0) return tag - 0x100;
    if (tag >= 0xcc && tag <= 0xce) return this.#uint(1 << (tag - 0xcc));
    switch (tag) {
      case 0xcf:
        return narrow(this.#view.getBigUint64(this.#advance(8)));
      case 0xd0:
        return this.#view.getInt8(this.#advance(1));
      case 0xd1:
        return this.#view.getInt16(this.#advance(2));
      case 0xd2:
        return this.#view.getInt32(this.#advance(4));
      case 0xd3:
        return narrow(this.#view.getBigInt64(this.#advance(8)));
      default:
        throw new MsgpackFault("not a whole number");
    }
  }

  /** Passes over one value, whatever it is. */
  skip(): void {
    const left = [1];
    while (left.length > 0) {
      const level = left.length - 1;
      if (left[level] === 0) {
        left.pop();
        continue;
      }
      left[level] = (left[level] as number) - 1;
      const inner = this.#skipOne();
      if (inner === 0) continue;
      if (left.length >= DEPTH_MAX) throw new MsgpackFault("too deep");
      left.push(inner);
    }
  }

  /** Passes over a value without what is in it, of which there are so many. */
  #skipOne(): number {
    const kind = this.kind();
    if (kind === "array") return this.array();
    if (kind === "map") return 2 * this.map();
    if (kind === "int") this.int();
    else if (kind === "text" || kind === "bin") this.#skipBytes();
    else this.#skipOther();
    return 0;
  }

  #skipBytes(): void {
    const tag = this.#take(1);
    if (tag <= 0xbf) this.#advance(tag & 0x1f);
    else this.#advance(this.#uint(1 << (tag >= 0xd9 ? tag - 0xd9 : tag - 0xc4)));
  }

  /** nil, false, true, floats and extensions. */
  #skipOther(): void {
    const tag = this.#take(1);
    if (tag === 0xca) this.#advance(4);
    else if (tag === 0xcb) this.#advance(8);
    else if (tag >= 0xc7 && tag <= 0xc9) this.#advance(this.#uint(1 << (tag - 0xc7)) + 1);
    else if (tag >= 0xd4 && tag <= 0xd8) this.#advance((1 << (tag - 0xd4)) + 1);
    else if (tag === 0xc1) throw new MsgpackFault("a byte that MessagePack does not use");
  }

  #peek(): number {
    const tag = this.#bytes[this.#at];
    if (tag === undefined) throw new MsgpackFault("cut short");
    return tag;
  }

  #take(byteCount: number): number {
    return this.#bytes[this.#advance(byteCount)] as number;
  }

  /** Where the passed bytes begin. */
  #advance(byteCount: number): number {
    const at = this.#at;
    if (byteCount > this.#bytes.length - at) throw new MsgpackFault("cut short");
    this.#at += byteCount;
    return at;
  }

  #uint(byteCount: number): number {
    const at = this.#advance(byteCount);
    if (byteCount === 1) return this.#bytes[at] as number;
    return byteCount === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  #slice(byteCount: number, bytesMax: number): Uint8Array {
    if (byteCount > bytesMax) throw new MsgpackFault(`longer than ${bytesMax} bytes`);
    const at = this.#advance(byteCount);
    return this.#bytes.subarray(at, at + byteCount);
  }

  /** Each element has a byte at least. */
  #held(count: number): number {
    if (count > this.#bytes.length - this.#at) throw new MsgpackFault("cut short");
    return count;
  }
}

function narrow(value: bigint): number | bigint {
  const isSafe = value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER;
  return isSafe ? Number(value) : value;
}

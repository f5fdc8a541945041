import type { IncomingHttpHeaders } from "node:http";
import {
  type AnswerHead,
  BadAnswer,
  type Framing,
  MAX_HEAD_BYTES,
  parseFields,
  parseHead,
} from "./answer-head.ts";

/** What a decoder hears out of an engine's bytes, in their order. All buffers may be kept. */
export interface AnswerListener {
  head(head: AnswerHead): void;
  /** Bytes of the body without their framing. */
  data(chunk: Buffer): void;
  /**
   * After the `data` of one read of a chunked body: the same with its framing, without last chunk
   * and trailers.
   */
  framed(bytes: Buffer, isLast: boolean): void;
}

// Extensions are allowed and mean nothing to anybody.
const MAX_SIZE_LINE_BYTES = 4096;
const MAX_SIZE_DIGITS = 12;
// Trailers are held together with the last chunk's size line.
const MAX_HELD_BYTES = MAX_SIZE_LINE_BYTES + MAX_HEAD_BYTES;
// An engine that sends informational answers only would otherwise never be heard to the end.
const MAX_INFORMATIONAL = 16;
const STATUS_LINE_START = "HTTP/1.";
const EMPTY: Buffer = Buffer.alloc(0);
const NO_TRAILERS: IncomingHttpHeaders = {};
const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;

type State = "head" | "length" | "close" | "size" | "chunk" | "chunk-end" | "trailers" | "done";

/**
 * Reads the answers of one connection, one after the other, however the reads are cut. Throws
 * `BadAnswer` for bytes that are no clear HTTP; the connection is then of no use.
 */
export class AnswerDecoder {
  #listener: AnswerListener | undefined;
  #isToHead = false;
  #state: State = "done";
  #isKept = false;
  #hasBytes = false;
  #informationalCount = 0;
  /** Of the body, or of the current chunk. */
  #leftBytes = 0;
  /** An unfinished head, size line or trailer section; within their bounds. */
  #held: Buffer = EMPTY;
  #trailers: IncomingHttpHeaders = NO_TRAILERS;

  /** Expects the answer to a request of the given method. */
  begin(method: string, listener: AnswerListener): void {
    this.#listener = listener;
    this.#isToHead = method === "HEAD";
    this.#state = "head";
    this.#isKept = false;
    this.#hasBytes = false;
    this.#informationalCount = 0;
    this.#trailers = NO_TRAILERS;
  }

  /** Whether anything of the answer came. */
  get hasBytes(): boolean {
    return this.#hasBytes;
  }

  /** Whether the engine ends the body by closing the connection. */
  get isEndedByClose(): boolean {
    return this.#state === "close";
  }

  /** Whether the engine takes another request on the connection; ask after the end. */
  get isKept(): boolean {
    return this.#isKept;
  }

  get trailers(): IncomingHttpHeaders {
    return this.#trailers;
  }

  /** Takes the first `length` bytes of a buffer that is used again. True at the answer's end. */
  push(read: Buffer, length: number): boolean {
    const heldBytes = this.#held.length;
    const bytes = Buffer.allocUnsafe(heldBytes + length);
    if (heldBytes > 0) bytes.set(this.#held);
    read.copy(bytes, heldBytes, 0, length);
    this.#held = EMPTY;
    this.#hasBytes = true;
    let at = 0;
    while (this.#state === "head") {
      const next = this.#head(bytes, at);
      if (next === -1) return false;
      at = next;
    }
    at = this.#body(bytes, at);
    if (this.#state !== "done") return false;
    // Bytes behind the end belong to no request.
    if (at < bytes.length) this.#isKept = false;
    this.#listener = undefined;
    return true;
  }

  /** Where the head ends; -1 when it is not complete. */
  #head(bytes: Buffer, at: number): number {
    const end = bytes.indexOf("\r\n\r\n", at, "latin1");
    if (end === -1 || end - at > MAX_HEAD_BYTES) {
      const start = bytes.toString("latin1", at, at + STATUS_LINE_START.length);
      if (!STATUS_LINE_START.startsWith(start)) throw new BadAnswer("the answer is not HTTP/1.x");
      this.#hold(bytes, at, MAX_HEAD_BYTES);
      return -1;
    }
    const head = parseHead(bytes.toString("latin1", at, end), this.#isToHead);
    if (head.status >= 200) {
      this.#isKept = head.isKept;
      this.#expect(head.framing);
      this.#listener?.head(head);
    } else if (head.status === 101 || ++this.#informationalCount > MAX_INFORMATIONAL) {
      throw new BadAnswer("an informational answer that nobody asked for");
    }
    return end + 4;
  }

  #expect(framing: Framing): void {
    if (framing.kind === "length") {
      this.#leftBytes = framing.bytes;
      this.#state = framing.bytes === 0 ? "done" : "length";
    } else if (framing.kind === "chunked") {
      this.#state = "size";
    } else {
      this.#state = framing.kind === "none" ? "done" : "close";
    }
  }

  /** Where what was understood ends. */
  #body(bytes: Buffer, at: number): number {
    if (this.#state === "done" || at === bytes.length) return at;
    if (this.#state === "close") {
      this.#listener?.data(bytes.subarray(at));
      return bytes.length;
    }
    if (this.#state === "length") {
      const end = this.#take(bytes, at);
      if (this.#leftBytes === 0) this.#state = "done";
      return end;
    }
    return this.#chunks(bytes, at);
  }

  #chunks(bytes: Buffer, start: number): number {
    let at = start;
    for (;;) {
      const next = this.#chunkPart(bytes, at);
      if (next === -1 || this.#state === "trailers") break;
      at = next;
    }
    const framedEnd = at;
    if (this.#state === "trailers") at = this.#trailerSection(bytes, at);
    const isLast = this.#state === "done";
    if (framedEnd > start) this.#listener?.framed(part(bytes, start, framedEnd), isLast);
    if (!isLast && at < bytes.length) this.#hold(bytes, at, MAX_HELD_BYTES);
    return at;
  }

  /** Where a chunk's size line, data or end is over; -1 when more bytes are needed. */
  #chunkPart(bytes: Buffer, at: number): number {
    if (at === bytes.length) return -1;
    if (this.#state === "size") {
      const lineFeed = endOfLine(bytes, at);
      if (lineFeed === -1) return -1;
      this.#leftBytes = chunkSize(bytes, at, lineFeed);
      this.#state = this.#leftBytes === 0 ? "trailers" : "chunk";
      return lineFeed + 1;
    }
    if (this.#state === "chunk") {
      const end = this.#take(bytes, at);
      if (this.#leftBytes === 0) this.#state = "chunk-end";
      return end;
    }
    if (at + 2 > bytes.length) return -1;
    if (bytes[at] !== CARRIAGE_RETURN || bytes[at + 1] !== LINE_FEED) {
      throw new BadAnswer("a chunk is not of the length that it announces");
    }
    this.#state = "size";
    return at + 2;
  }

  /** The last chunk's line is held with the trailers, so that it is read again with them. */
  #trailerSection(bytes: Buffer, at: number): number {
    const start = bytes.indexOf(LINE_FEED, at) - 1;
    const end = bytes.indexOf("\r\n\r\n", start, "latin1");
    if (end === -1) {
      this.#state = "size";
      return at;
    }
    if (end - start > MAX_HEAD_BYTES) throw new BadAnswer("trailers are too long");
    if (end > start) {
      const lines = bytes.toString("latin1", start + 2, end).split("\r\n");
      this.#trailers = parseFields(lines, 0).headers;
    }
    this.#state = "done";
    return end + 4;
  }

  #take(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#leftBytes);
    this.#leftBytes -= end - at;
    this.#listener?.data(part(bytes, at, end));
    return end;
  }

  #hold(bytes: Buffer, at: number, maxBytes: number): void {
    this.#held = bytes.subarray(at);
    if (this.#held.length > maxBytes) throw new BadAnswer("a head or size line is too long");
  }
}

/** No view is made of what is whole already. */
function part(bytes: Buffer, start: number, end: number): Buffer {
  return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
}

/** Size lines are a few bytes, fewer than a call of `indexOf` is worth. */
function endOfLine(bytes: Buffer, at: number): number {
  const near = Math.min(bytes.length, at + MAX_SIZE_DIGITS);
  for (let i = at; i < near; i++) if (bytes[i] === LINE_FEED) return i;
  return bytes.indexOf(LINE_FEED, at);
}

/** RFC 9112 7.1: hexadecimal digits, then extensions that must not hide an end of line. */
function chunkSize(bytes: Buffer, at: number, lineFeed: number): number {
  const end = lineFeed - 1;
  if (end - at > MAX_SIZE_LINE_BYTES) throw new BadAnswer("a chunk's size line is too long");
  let size = 0;
  let digit = at;
  for (; digit < end; digit++) {
    const value = hexValue(bytes[digit] as number);
    if (value === -1) break;
    size = size * 16 + value;
  }
  const digitCount = digit - at;
  const isSize = digitCount > 0 && digitCount <= MAX_SIZE_DIGITS;
  const isEnded = end >= at && bytes[end] === CARRIAGE_RETURN;
  if (!isSize || !isEnded || (digit < end && !isExtension(bytes, digit, end))) {
    throw new BadAnswer("a chunk without a clear size");
  }
  return size;
}

function isExtension(bytes: Buffer, at: number, end: number): boolean {
  return /^[\t ]*;[\t\x20-\x7e\x80-\xff]*$/.test(bytes.toString("latin1", at, end));
}

function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** Longest line that is looked at; a longer one passes in pieces. */
export const MAX_LINE_BYTES: number = 256 * 1024;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const OPEN_BRACKET = 0x5b;
const DATA = Buffer.from("data:");
const DONE = "[DONE]";

/**
 * Gets the line `bytes[start, end)` with its line end, or with `isWhole` false a piece of a line
 * that is too long to look at.
 */
export type LineTaker = (bytes: Buffer, start: number, end: number, isWhole: boolean) => void;

/**
 * Cuts a stream of server-sent events into lines, however its chunks are cut. Lines end in LF or
 * CRLF.
 */
export class SseLines {
  readonly #maxLineBytes: number;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #isInLongLine = false;

  constructor(maxLineBytes: number = MAX_LINE_BYTES) {
    this.#maxLineBytes = maxLineBytes;
  }

  /**
   * Hands out every line that the chunk completes; what is left of it is held until its end comes.
   */
  push(chunk: Buffer, take: LineTaker): void {
    let start = 0;
    for (;;) {
      const lineFeed = chunk.indexOf(LINE_FEED, start);
      if (lineFeed === -1) break;
      this.#complete(chunk, start, lineFeed + 1, take);
      start = lineFeed + 1;
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start), take);
  }

  /** Whether the next chunk begins a line. */
  get isAtLineStart(): boolean {
    return this.#heldBytes === 0 && !this.#isInLongLine;
  }

  /** Hands out what a stream that ended left behind. */
  flush(take: LineTaker): void {
    if (this.#heldBytes > 0) this.#complete(Buffer.concat([]), 0, 0, take);
  }

  #complete(chunk: Buffer, start: number, end: number, take: LineTaker): void {
    if (this.#isInLongLine) {
      this.#isInLongLine = false;
      take(chunk, start, end, false);
      return;
    }
    if (this.#heldBytes === 0) {
      take(chunk, start, end, end - start <= this.#maxLineBytes);
      return;
    }
    const line = Buffer.concat([...this.#held, chunk.subarray(start, end)]);
    this.#held = [];
    this.#heldBytes = 0;
    take(line, 0, line.length, line.length <= this.#maxLineBytes);
  }

  #hold(part: Buffer, take: LineTaker): void {
    if (this.#isInLongLine) {
      take(part, 0, part.length, false);
      return;
    }
    this.#held.push(part);
    this.#heldBytes += part.length;
    if (this.#heldBytes <= this.#maxLineBytes) return;
    this.#isInLongLine = true;
    const piece = Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    take(piece, 0, piece.length, false);
  }
}

/**
 * Whether the chunk is one data line with the empty line that ends its event: what engines send.
 * Asked first, because cutting it into lines takes a seventh of the time to read an event.
 */
export function isOneEvent(chunk: Buffer): boolean {
  const last = chunk.length - 1;
  if (last < DATA.length || chunk[last] !== LINE_FEED || chunk[last - 1] !== LINE_FEED)
    return false;
  for (let i = 0; i < DATA.length; i++) if (chunk[i] !== DATA[i]) return false;
  return last < MAX_LINE_BYTES && chunk.indexOf(LINE_FEED) === last - 1;
}

/**
 * Where the JSON of an event stands in the line `bytes[start, end)`; undefined for other lines and
 * for `[DONE]`. Engines write one data line an event.
 */
export function eventSpan(
  bytes: Buffer,
  start: number,
  end: number,
): { start: number; end: number } | undefined {
  let at = start + DATA.length;
  if (at > end || bytes.compare(DATA, 0, DATA.length, start, at) !== 0) return undefined;
  if (at < end && bytes[at] === SPACE) at++;
  let last = end;
  if (last > at && bytes[last - 1] === LINE_FEED) last--;
  if (last > at && bytes[last - 1] === CARRIAGE_RETURN) last--;
  const isDone = bytes[at] === OPEN_BRACKET && bytes.toString("latin1", at, last) === DONE;
  return isDone ? undefined : { start: at, end: last };
}

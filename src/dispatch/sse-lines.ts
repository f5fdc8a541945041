/** Longest line that is looked at; a longer one passes in pieces. */
export const MAX_LINE_BYTES: number = 256 * 1024;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const DATA = Buffer.from("data:");
const DONE = Buffer.from("[DONE]");

/**
 * Gets a line with its end, or with `isWhole` false a piece of a line that is too long to look at.
 */
export type LineTaker = (line: Buffer, isWhole: boolean) => void;

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
      this.#complete(chunk.subarray(start, lineFeed + 1), take);
      start = lineFeed + 1;
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start), take);
  }

  /** Hands out what a stream that ended left behind. */
  flush(take: LineTaker): void {
    if (this.#heldBytes > 0) this.#complete(Buffer.alloc(0), take);
  }

  #complete(end: Buffer, take: LineTaker): void {
    if (this.#isInLongLine) {
      this.#isInLongLine = false;
      take(end, false);
      return;
    }
    const line = this.#heldBytes === 0 ? end : Buffer.concat([...this.#held, end]);
    this.#held = [];
    this.#heldBytes = 0;
    take(line, line.length <= this.#maxLineBytes);
  }

  #hold(part: Buffer, take: LineTaker): void {
    if (this.#isInLongLine) {
      take(part, false);
      return;
    }
    this.#held.push(part);
    this.#heldBytes += part.length;
    if (this.#heldBytes <= this.#maxLineBytes) return;
    this.#isInLongLine = true;
    take(Buffer.concat(this.#held), false);
    this.#held = [];
    this.#heldBytes = 0;
  }
}

/**
 * Where the JSON of an event stands in its line; undefined for other lines and for `[DONE]`.
 * Engines write one data line an event.
 */
export function eventSpan(line: Buffer): { start: number; end: number } | undefined {
  if (line.length < DATA.length || DATA.compare(line, 0, DATA.length) !== 0) return undefined;
  const start = line[DATA.length] === SPACE ? DATA.length + 1 : DATA.length;
  let end = line.length;
  if (end > start && line[end - 1] === LINE_FEED) end--;
  if (end > start && line[end - 1] === CARRIAGE_RETURN) end--;
  return line.subarray(start, end).equals(DONE) ? undefined : { start, end };
}

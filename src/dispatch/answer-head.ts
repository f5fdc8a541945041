import type { IncomingHttpHeaders } from "node:http";

/** Longest head or trailer section of an answer; node:http's own limit. */
export const MAX_HEAD_BYTES: number = 16 * 1024;
const MAX_FIELDS = 256;

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
// RFC 9110 5.6.2.
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// RFC 9110 5.5; what node:http would refuse to write must not get as far as that.
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const SPACE = 0x20;
const TAB = 0x09;

/** An answer that is no HTTP/1.x, or that two readers might read in two ways. */
export class BadAnswer extends Error {
  override readonly name: string = "BadAnswer";
}

/** Header or trailer fields. */
export interface Fields {
  /** By lower-case name. */
  readonly headers: IncomingHttpHeaders;
  /** Name, value, name, value … as received. */
  readonly rawHeaders: readonly string[];
}

/** How the end of a body is found. */
export type Framing = { readonly kind: "none" | "chunked" | "close" } | LengthFraming;

interface LengthFraming {
  readonly kind: "length";
  readonly bytes: number;
}

/** A head as received. */
export interface AnswerHead extends Fields {
  readonly status: number;
  readonly framing: Framing;
  /** Whether the engine keeps the connection. */
  readonly isKept: boolean;
}

/** Reads a head without its empty line. */
export function parseHead(text: string, isToHead: boolean): AnswerHead {
  const lines = text.split("\r\n");
  const match = STATUS_LINE.exec(lines[0] ?? "");
  if (match === null) throw new BadAnswer("the status line is not of HTTP/1.0 or HTTP/1.1");
  const status = Number(match[2]);
  const isOld = match[1] === "0";
  const fields = parseFields(lines, 1);
  const { headers } = fields;
  const hasNoBody = isToHead || status < 200 || status === 204 || status === 304;
  const framing = hasNoBody ? NO_BODY : framingOf(headers, isOld);
  const isKept =
    !isOld && framing.kind !== "close" && !/\bclose\b/i.test(textOf(headers.connection));
  return { headers, rawHeaders: fields.rawHeaders, status, framing, isKept };
}

/** Reads field lines from a place on. */
export function parseFields(lines: readonly string[], from: number): Fields {
  if (lines.length - from > MAX_FIELDS) throw new BadAnswer(`more than ${MAX_FIELDS} fields`);
  const headers: Record<string, string | string[]> = Object.create(null);
  const rawHeaders: string[] = [];
  for (let i = from; i < lines.length; i++) {
    const line = lines[i] as string;
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0));
    const value = withoutSpace(line, colon + 1);
    if (!TOKEN.test(name) || !FIELD_VALUE.test(value)) throw new BadAnswer("a malformed field");
    rawHeaders.push(name, value);
    const key = name.toLowerCase();
    const known = headers[key];
    if (known === undefined) headers[key] = value;
    else headers[key] = Array.isArray(known) ? [...known, value] : [known, value];
  }
  return { headers, rawHeaders };
}

const NO_BODY: Framing = { kind: "none" };
const CHUNKED: Framing = { kind: "chunked" };
const CLOSE: Framing = { kind: "close" };

/** RFC 9112 6.3; what it lets a recipient repair is refused here, as others repair it otherwise. */
function framingOf(headers: IncomingHttpHeaders, isOld: boolean): Framing {
  const coding = headers["transfer-encoding"] as string | string[] | undefined;
  const length = headers["content-length"] as string | string[] | undefined;
  if (coding !== undefined) {
    const isPlain = typeof coding === "string" && coding.toLowerCase() === "chunked";
    if (!isPlain || isOld || length !== undefined) throw new BadAnswer("an unclear body length");
    return CHUNKED;
  }
  if (length === undefined) return CLOSE;
  const isNumber = typeof length === "string" && /^\d{1,15}$/.test(length);
  if (!isNumber) throw new BadAnswer("an unclear body length");
  return { kind: "length", bytes: Number(length) };
}

function withoutSpace(line: string, from: number): string {
  let start = from;
  let end = line.length;
  while (start < end && isSpace(line.charCodeAt(start))) start++;
  while (end > start && isSpace(line.charCodeAt(end - 1))) end--;
  return line.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === SPACE || code === TAB;
}

function textOf(value: string | string[] | undefined): string {
  return typeof value === "string" ? value : (value ?? []).join(",");
}

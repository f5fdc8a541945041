/** Where one member of a JSON object stands; the key's span includes its quotes. */
export interface JsonMember {
  /** The key with its escapes resolved. */
  readonly key: string;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** A JSON object as spans over the bytes it was read from. */
export interface JsonMembers {
  /** Index of the opening brace. */
  readonly start: number;
  /** Index after the closing brace. */
  readonly end: number;
  /** Every member in the order of the text, duplicates included. */
  readonly members: readonly JsonMember[];
}

// Deep enough for any schema in a request, shallow enough for every thread's stack.
const MAX_DEPTH = 512;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/**
 * Reads the members of the object that fills `bytes[start, end)`, white space aside. Undefined
 * when the
 * text is no object, is not well-formed JSON anywhere, or nests deeper than 512 levels.
 */
export function readJsonMembers(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
): JsonMembers | undefined {
  const open = skipSpace(bytes, start, end);
  if (open >= end || bytes[open] !== OPEN_BRACE) return undefined;
  const members: JsonMember[] = [];
  const close = skipObject(bytes, open, end, 1, members);
  if (close === -1 || skipSpace(bytes, close, end) !== end) return undefined;
  return { start: open, end: close, members };
}

/** The member that counts for a key: the last one, as in `JSON.parse`. */
export function findJsonMember(object: JsonMembers, key: string): JsonMember | undefined {
  return object.members.findLast((member) => member.key === key);
}

/** Every `skip…` returns the index after what it skipped, -1 when that is not well formed. */
function skipValue(bytes: Uint8Array, at: number, end: number, depth: number): number {
  if (at >= end) return -1;
  switch (bytes[at] as number) {
    case QUOTE:
      return skipString(bytes, at, end);
    case OPEN_BRACE:
      return depth > MAX_DEPTH ? -1 : skipObject(bytes, at, end, depth, undefined);
    case OPEN_BRACKET:
      return depth > MAX_DEPTH ? -1 : skipArray(bytes, at, end, depth);
    case 0x74:
      return skipWord(bytes, at, end, "true");
    case 0x66:
      return skipWord(bytes, at, end, "false");
    case 0x6e:
      return skipWord(bytes, at, end, "null");
    default:
      return skipNumber(bytes, at, end);
  }
}

function skipObject(
  bytes: Uint8Array,
  open: number,
  end: number,
  depth: number,
  members: JsonMember[] | undefined,
): number {
  let at = skipSpace(bytes, open + 1, end);
  if (at < end && bytes[at] === CLOSE_BRACE) return at + 1;
  for (;;) {
    const keyStart = at;
    if (at >= end || bytes[at] !== QUOTE) return -1;
    const keyEnd = skipString(bytes, at, end);
    if (keyEnd === -1) return -1;
    at = skipSpace(bytes, keyEnd, end);
    if (at >= end || bytes[at] !== COLON) return -1;
    const valueStart = skipSpace(bytes, at + 1, end);
    const valueEnd = skipValue(bytes, valueStart, end, depth + 1);
    if (valueEnd === -1) return -1;
    if (members !== undefined) {
      const key = decodeKey(bytes, keyStart, keyEnd);
      members.push({ key, keyStart, keyEnd, valueStart, valueEnd });
    }
    at = skipSpace(bytes, valueEnd, end);
    if (at >= end) return -1;
    if (bytes[at] === CLOSE_BRACE) return at + 1;
    if (bytes[at] !== COMMA) return -1;
    at = skipSpace(bytes, at + 1, end);
  }
}

function skipArray(bytes: Uint8Array, open: number, end: number, depth: number): number {
  let at = skipSpace(bytes, open + 1, end);
  if (at < end && bytes[at] === CLOSE_BRACKET) return at + 1;
  for (;;) {
    at = skipValue(bytes, at, end, depth + 1);
    if (at === -1) return -1;
    at = skipSpace(bytes, at, end);
    if (at >= end) return -1;
    if (bytes[at] === CLOSE_BRACKET) return at + 1;
    if (bytes[at] !== COMMA) return -1;
    at = skipSpace(bytes, at + 1, end);
  }
}

function skipString(bytes: Uint8Array, open: number, end: number): number {
  let at = open + 1;
  while (at < end) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) return at + 1;
    if (byte < 0x20) return -1;
    if (byte !== BACKSLASH) {
      at++;
      continue;
    }
    const escaped = at + 1 < end ? String.fromCharCode(bytes[at + 1] as number) : "";
    if (escaped === "u") {
      for (let digit = at + 2; digit < at + 6; digit++) {
        if (digit >= end || !isHexDigit(bytes[digit] as number)) return -1;
      }
      at += 6;
    } else if (escaped !== "" && '"\\/bfnrt'.includes(escaped)) {
      at += 2;
    } else {
      return -1;
    }
  }
  return -1;
}

function skipNumber(bytes: Uint8Array, start: number, end: number): number {
  let at = bytes[start] === 0x2d ? start + 1 : start;
  if (at < end && bytes[at] === 0x30) {
    at++;
  } else {
    const integerStart = at;
    at = skipDigits(bytes, at, end);
    if (at === integerStart) return -1;
  }
  if (at < end && bytes[at] === 0x2e) {
    const fraction = skipDigits(bytes, at + 1, end);
    if (fraction === at + 1) return -1;
    at = fraction;
  }
  if (at < end && (bytes[at] === 0x65 || bytes[at] === 0x45)) {
    const sign = bytes[at + 1];
    const digits = sign === 0x2b || sign === 0x2d ? at + 2 : at + 1;
    at = skipDigits(bytes, digits, end);
    if (at === digits || digits >= end) return -1;
  }
  return at;
}

function skipDigits(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] as number) >= 0x30 && (bytes[at] as number) <= 0x39) at++;
  return at;
}

function skipWord(bytes: Uint8Array, start: number, end: number, word: string): number {
  if (start + word.length > end) return -1;
  for (let i = 0; i < word.length; i++) {
    if (bytes[start + i] !== word.charCodeAt(i)) return -1;
  }
  return start + word.length;
}

function skipSpace(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    at++;
  }
  return at;
}

function isHexDigit(byte: number): boolean {
  const lower = byte | 0x20;
  return (byte >= 0x30 && byte <= 0x39) || (lower >= 0x61 && lower <= 0x66);
}

function decodeKey(bytes: Uint8Array, start: number, end: number): string {
  const quoted = new TextDecoder().decode(bytes.subarray(start, end));
  return quoted.includes("\\") ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
}

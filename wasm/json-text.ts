// Every function takes the address of what it reads and returns the address behind it, or FAILED. A text
// must be followed by a zero byte, which no JSON contains, and by 16 bytes that may be read.
export const FAILED: usize = 0;

const QUOTE: u8 = 0x22;
const BACKSLASH: u8 = 0x5c;
/** Deep enough for the schemas of tools; what nests deeper is left to JSON.parse. */
const MAX_DEPTH: i32 = 64;

// prettier-ignore
const SIMPLE_ESCAPES = memory.data<u8>([
  // By the byte behind the backslash, as far as it is ASCII.
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 34, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 47,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 92, 0, 0, 0,
  0, 0, 8, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 10, 0,
  0, 0, 13, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);

/** Where the next byte of copied strings goes. A string is never longer than its JSON. */
export let copiedTo: usize = 0;

export function copyTo(address: usize): void {
  copiedTo = address;
}

export function skipSpace(at: usize): usize {
  while (true) {
    const byte = load<u8>(at);
    if (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09) return at;
    at++;
  }
}

/** Behind a string whose opening quote is at `at`. */
export function skipString(at: usize): usize {
  return readString(at, false);
}

/** As `skipString`; the string's UTF-8 text is appended at `copiedTo`. Lone surrogates are not understood. */
export function copyString(at: usize): usize {
  return readString(at, true);
}

/** As `skipString` for a string without escapes: its bytes are its text. */
export function skipPlainString(at: usize): usize {
  const behind = readString(at, false);
  for (; at < behind; at++) if (load<u8>(at) == BACKSLASH) return FAILED;
  return behind;
}

/** Behind any value. */
export function skipValue(at: usize, depth: i32): usize {
  const byte = load<u8>(at);
  if (byte == QUOTE) return skipString(at);
  if (byte == 0x7b || byte == 0x5b) return skipContainer(at, depth);
  if (byte == 0x74) return skipWord(at, "true");
  if (byte == 0x66) return skipWord(at, "false");
  if (byte == 0x6e) return skipWord(at, "null");
  return skipNumber(at);
}

/** Whether the string from `at`, quotes included, is `word`. */
export function isString(at: usize, behind: usize, word: string): bool {
  return ((behind - at) as i32) == word.length + 2 && skipWord(at + 1, word) != FAILED;
}

export function skipWord(at: usize, word: string): usize {
  for (let i = 0; i < word.length; i++, at++) {
    if (load<u8>(at) != (word.charCodeAt(i) as u8)) return FAILED;
  }
  return at;
}

/** Behind a `,` and the space after it, or at the closing byte; a value that failed before fails again. */
export function skipComma(at: usize, closing: u8): usize {
  if (at == FAILED) return FAILED;
  at = skipSpace(at);
  if (load<u8>(at) == closing) return at;
  if (load<u8>(at) != 0x2c) return FAILED;
  at = skipSpace(at + 1);
  // A comma before the end is not JSON.
  return load<u8>(at) == closing ? FAILED : at;
}

/** From behind a key to the value. */
export function skipColon(at: usize): usize {
  at = skipSpace(at);
  return load<u8>(at) == 0x3a ? skipSpace(at + 1) : FAILED;
}

/** An integer from 0 to 999,999,999 without fraction and exponent, -1 for any other value. */
export function smallInteger(at: usize, behind: usize): i32 {
  const digits = behind - at;
  if (digits > 9 || digits == 0) return -1;
  let value: i32 = 0;
  for (; at < behind; at++) {
    const byte = load<u8>(at);
    if (!isDigit(byte)) return -1;
    value = value * 10 + (byte - 0x30);
  }
  return value;
}

function skipContainer(at: usize, depth: i32): usize {
  if (depth >= MAX_DEPTH) return FAILED;
  const isObject = load<u8>(at) == 0x7b;
  const closing: u8 = isObject ? 0x7d : 0x5d;
  at = skipSpace(at + 1);
  while (load<u8>(at) != closing) {
    if (isObject) {
      at = load<u8>(at) == QUOTE ? skipString(at) : FAILED;
      if (at == FAILED) return FAILED;
      at = skipColon(at);
      if (at == FAILED) return FAILED;
    }
    at = skipComma(skipValue(at, depth + 1), closing);
    if (at == FAILED) return FAILED;
  }
  return at + 1;
}

function skipNumber(at: usize): usize {
  if (load<u8>(at) == 0x2d) at++;
  if (load<u8>(at) == 0x30) {
    at++;
  } else {
    at = skipDigits(at);
    if (at == FAILED) return FAILED;
  }
  if (load<u8>(at) == 0x2e) {
    at = skipDigits(at + 1);
    if (at == FAILED) return FAILED;
  }
  if ((load<u8>(at) | 0x20) == 0x65) {
    at++;
    if (load<u8>(at) == 0x2b || load<u8>(at) == 0x2d) at++;
    at = skipDigits(at);
  }
  return at;
}

/** One digit or more. */
function skipDigits(at: usize): usize {
  if (!isDigit(load<u8>(at))) return FAILED;
  while (isDigit(load<u8>(at))) at++;
  return at;
}

// @ts-ignore: decorator
@inline
function isDigit(byte: u8): bool {
  return byte >= 0x30 && byte <= 0x39;
}

// @ts-ignore: decorator
@inline
function readString(at: usize, isCopied: bool): usize {
  const quotes = i8x16.splat(QUOTE as i8);
  const backslashes = i8x16.splat(BACKSLASH as i8);
  const spaces = i8x16.splat(0x20);
  let to = copiedTo;
  at++;
  while (true) {
    const bytes = v128.load(at);
    if (isCopied) v128.store(to, bytes);
    // As signed numbers control characters and the bytes of longer characters both are below a space.
    const special = i8x16.bitmask(
      v128.or(
        v128.or(i8x16.eq(bytes, quotes), i8x16.eq(bytes, backslashes)),
        i8x16.lt_s(bytes, spaces),
      ),
    );
    // A branch, because the processor guesses it and reads ahead.
    if (special == 0) {
      at += 16;
      if (isCopied) to += 16;
      continue;
    }
    at += ctz(special);
    if (isCopied) to += ctz(special);
    const byte = load<u8>(at);
    if (byte == BACKSLASH) {
      const character = simpleEscape(load<u8>(at, 1));
      if (character != 0) {
        if (isCopied) store<u8>(to++, character);
        at += 2;
        continue;
      }
      const length = unicodeEscapeLength(at);
      if (length == 0) return FAILED;
      if (isCopied) {
        const written = writeUnicodeEscape(at, length, to);
        if (written == 0) return FAILED;
        to += written;
      }
      at += length;
      continue;
    }
    if (byte == QUOTE) {
      if (isCopied) copiedTo = to;
      return at + 1;
    }
    const start = at;
    while (load<u8>(at) >= 0x80) {
      const length = characterLength(at);
      if (length == 0) return FAILED;
      at += length;
    }
    // A control character.
    if (at == start) return FAILED;
    if (isCopied) {
      memory.copy(to, start, at - start);
      to += at - start;
    }
  }
}

/** Bytes of the escape at `at`, a pair of surrogates together; 0 when it is none. */
function unicodeEscapeLength(at: usize): usize {
  const unit = load<u8>(at, 1) == 0x75 ? hexUnit(at + 2) : -1;
  if (unit < 0) return 0;
  const isPair =
    isHighSurrogate(unit) && load<u16>(at, 6) == 0x755c && isLowSurrogate(hexUnit(at + 8));
  return isPair ? 12 : 6;
}

/** Writes the character of an escape and returns its bytes; 0 for a lone surrogate. */
function writeUnicodeEscape(at: usize, length: usize, to: usize): usize {
  const unit = hexUnit(at + 2);
  if (length == 12) {
    return writeCharacter(to, 0x10000 + ((unit - 0xd800) << 10) + hexUnit(at + 8) - 0xdc00);
  }
  return isHighSurrogate(unit) || isLowSurrogate(unit) ? 0 : writeCharacter(to, unit);
}

function writeCharacter(to: usize, code: i32): usize {
  if (code < 0x80) {
    store<u8>(to, code as u8);
    return 1;
  }
  if (code < 0x800) {
    store<u8>(to, (0xc0 | (code >> 6)) as u8);
    store<u8>(to, (0x80 | (code & 63)) as u8, 1);
    return 2;
  }
  if (code < 0x10000) {
    store<u8>(to, (0xe0 | (code >> 12)) as u8);
    store<u8>(to, (0x80 | ((code >> 6) & 63)) as u8, 1);
    store<u8>(to, (0x80 | (code & 63)) as u8, 2);
    return 3;
  }
  store<u8>(to, (0xf0 | (code >> 18)) as u8);
  store<u8>(to, (0x80 | ((code >> 12) & 63)) as u8, 1);
  store<u8>(to, (0x80 | ((code >> 6) & 63)) as u8, 2);
  store<u8>(to, (0x80 | (code & 63)) as u8, 3);
  return 4;
}

// @ts-ignore: decorator
@inline
/** What a byte behind a backslash stands for; 0 when it is no escape of two bytes. */
function simpleEscape(kind: u8): u8 {
  return kind < 0x80 ? load<u8>(SIMPLE_ESCAPES + kind) : 0;
}

/** Four hexadecimal digits; -1 when they are none. */
function hexUnit(at: usize): i32 {
  let unit: i32 = 0;
  for (let i = 0; i < 4; i++, at++) {
    const byte = load<u8>(at);
    const lower = byte | 0x20;
    if (isDigit(byte)) unit = (unit << 4) | (byte - 0x30);
    else if (lower >= 0x61 && lower <= 0x66) unit = (unit << 4) | (lower - 0x57);
    else return -1;
  }
  return unit;
}

function isHighSurrogate(unit: i32): bool {
  return unit >= 0xd800 && unit < 0xdc00;
}

function isLowSurrogate(unit: i32): bool {
  return unit >= 0xdc00 && unit < 0xe000;
}

/** Bytes of the UTF-8 character that begins at `at` with a byte of 0x80 or more; 0 when it is none (RFC 3629). */
function characterLength(at: usize): usize {
  const first = load<u8>(at);
  const second = load<u8>(at, 1);
  if (first < 0xc2 || first > 0xf4) return 0;
  if (first < 0xe0) return isContinuation(second) ? 2 : 0;
  if (first < 0xf0) {
    const lowest: u8 = first == 0xe0 ? 0xa0 : 0x80;
    const highest: u8 = first == 0xed ? 0x9f : 0xbf;
    if (second < lowest || second > highest) return 0;
    return isContinuation(load<u8>(at, 2)) ? 3 : 0;
  }
  const lowest: u8 = first == 0xf0 ? 0x90 : 0x80;
  const highest: u8 = first == 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  return isContinuation(load<u8>(at, 2)) && isContinuation(load<u8>(at, 3)) ? 4 : 0;
}

// @ts-ignore: decorator
@inline
function isContinuation(byte: u8): bool {
  return (byte & 0xc0) == 0x80;
}

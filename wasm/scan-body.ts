import {
  copiedTo,
  copyString,
  copyTo,
  FAILED,
  isString,
  skipColon,
  skipComma,
  skipPlainString,
  skipSpace,
  skipValue,
  skipWord,
  smallInteger,
} from "./json-text";

// Reads what scheduling needs of a body and flattens its prompt. A body that is refused here is not wrong,
// only not understood: duplicate keys that matter, escapes in names, odd numbers and all that is no JSON
// are the business of JSON.parse, which gives the answer then.

const OPEN_BRACE: u8 = 0x7b;
const CLOSE_BRACE: u8 = 0x7d;
const OPEN_BRACKET: u8 = 0x5b;
const CLOSE_BRACKET: u8 = 0x5d;
const QUOTE: u8 = 0x22;

const KIND_CHAT: i32 = 0;
const KIND_COMPLETION: i32 = 1;

const NOT_UNDERSTOOD: i32 = -1;
/** By how much a prompt may outgrow its JSON: short messages and token ids do. The caller leaves this room. */
const GROWTH_MAX: isize = 4096;

// Offsets into the facts of the last scan, 32-bit integers.
const MODEL_START: usize = 0;
const MODEL_BYTES: usize = 4;
const SALT_START: usize = 8;
const SALT_BYTES: usize = 12;
const IS_STREAMING: usize = 16;
const IS_USAGE_STREAMED: usize = 20;
const MAX_TOKENS: usize = 24;
const MAX_COMPLETION_TOKENS: usize = 28;
const MEDIA_COUNT: usize = 32;

const facts = memory.data(36);
let bodyStart: usize = 0;
let promptStart: usize = 0;

/** Where the facts are. */
export function factsAt(): usize {
  return facts;
}

/** Bytes of the flattened prompt at `prompt`, -1 when the body is not understood. */
export function scanBody(body: usize, length: i32, kind: i32, prompt: usize): i32 {
  const end = body + length;
  store<u8>(end, 0);
  memory.fill(facts, 0, 36);
  store<i32>(facts, -1, SALT_BYTES);
  bodyStart = body;
  promptStart = prompt;
  copyTo(prompt);
  const behind = readBody(skipSpace(body), kind);
  if (behind == FAILED || skipSpace(behind) != end) return NOT_UNDERSTOOD;
  return (copiedTo - prompt) as i32;
}

// Bits of the members that a body may have once.
const MODEL: i32 = 1;
const PROMPT: i32 = 2;
const STREAM: i32 = 4;
const STREAM_OPTIONS: i32 = 8;
const LIMIT: i32 = 16;
const COMPLETION_LIMIT: i32 = 32;
const SALT: i32 = 64;

function readBody(at: usize, kind: i32): usize {
  if (load<u8>(at) != OPEN_BRACE) return FAILED;
  const needed = kind == KIND_CHAT || kind == KIND_COMPLETION ? MODEL | PROMPT : MODEL;
  let seen = 0;
  at = skipSpace(at + 1);
  while (load<u8>(at) != CLOSE_BRACE) {
    const keyEnd = skipKey(at);
    const value = keyEnd == FAILED ? FAILED : skipColon(keyEnd);
    if (value == FAILED) return FAILED;
    const member = memberOf(at, keyEnd, kind);
    if ((seen & member) != 0) return FAILED;
    seen |= member;
    at = skipComma(readMember(member, value, kind), CLOSE_BRACE);
    if (at == FAILED) return FAILED;
  }
  return (seen & needed) == needed ? at + 1 : FAILED;
}

/** Bit of the member with this key, 0 for one that does not matter. */
function memberOf(at: usize, behind: usize, kind: i32): i32 {
  if (isString(at, behind, "model")) return MODEL;
  if (isString(at, behind, "stream")) return STREAM;
  if (isString(at, behind, "stream_options")) return STREAM_OPTIONS;
  if (isString(at, behind, "max_tokens")) return LIMIT;
  if (isString(at, behind, "max_completion_tokens")) return COMPLETION_LIMIT;
  if (isString(at, behind, "cache_salt")) return SALT;
  if (kind == KIND_CHAT && isString(at, behind, "messages")) return PROMPT;
  return kind == KIND_COMPLETION && isString(at, behind, "prompt") ? PROMPT : 0;
}

function readMember(member: i32, at: usize, kind: i32): usize {
  switch (member) {
    case MODEL:
      return load<u16>(at) == 0x2222 ? FAILED : readSpan(at, MODEL_START);
    case PROMPT:
      return kind == KIND_CHAT ? readMessages(at) : readPrompt(at);
    case STREAM:
      return readFlag(at, IS_STREAMING);
    case STREAM_OPTIONS:
      return isNull(at) ? at + 4 : readStreamOptions(at);
    case LIMIT:
      return isNull(at) ? at + 4 : readLimit(at, MAX_TOKENS);
    case COMPLETION_LIMIT:
      return isNull(at) ? at + 4 : readLimit(at, MAX_COMPLETION_TOKENS);
    case SALT:
      return isNull(at) ? at + 4 : readSpan(at, SALT_START);
    default:
      return skipValue(at, 0);
  }
}

/** Start and bytes of a string without escapes. */
function readSpan(at: usize, fact: usize): usize {
  const behind = skipKey(at);
  if (behind == FAILED) return FAILED;
  store<i32>(facts + fact, (at + 1 - bodyStart) as i32);
  store<i32>(facts + fact, (behind - at - 2) as i32, 4);
  return behind;
}

function readFlag(at: usize, fact: usize): usize {
  const behindTrue = skipWord(at, "true");
  if (behindTrue != FAILED) {
    store<i32>(facts + fact, 1);
    return behindTrue;
  }
  return isNull(at) ? at + 4 : skipWord(at, "false");
}

function readLimit(at: usize, fact: usize): usize {
  const behind = skipValue(at, 0);
  const limit = behind == FAILED ? -1 : smallInteger(at, behind);
  if (limit < 0) return FAILED;
  store<i32>(facts + fact, limit);
  return behind;
}

function readStreamOptions(at: usize): usize {
  if (load<u8>(at) != OPEN_BRACE) return FAILED;
  let isSeen = false;
  at = skipSpace(at + 1);
  while (load<u8>(at) != CLOSE_BRACE) {
    const keyEnd = skipKey(at);
    const value = keyEnd == FAILED ? FAILED : skipColon(keyEnd);
    if (value == FAILED) return FAILED;
    if (isString(at, keyEnd, "include_usage")) {
      if (isSeen) return FAILED;
      isSeen = true;
      at = readFlag(value, IS_USAGE_STREAMED);
    } else {
      at = skipValue(value, 0);
    }
    at = skipComma(at, CLOSE_BRACE);
    if (at == FAILED) return FAILED;
  }
  return at + 1;
}

/** A string, token ids, or an array of such prompts; the texts of several follow one another. */
function readPrompt(at: usize): usize {
  if (load<u8>(at) == QUOTE) return copyString(at);
  if (load<u8>(at) != OPEN_BRACKET) return FAILED;
  const first = skipSpace(at + 1);
  const byte = load<u8>(first);
  if (byte == CLOSE_BRACKET) return FAILED;
  if (byte != QUOTE && byte != OPEN_BRACKET) return readTokens(at);
  at = first;
  while (load<u8>(at) != CLOSE_BRACKET) {
    at = load<u8>(at) == QUOTE ? copyString(at) : readTokens(at);
    at = skipComma(at, CLOSE_BRACKET);
    if (at == FAILED) return FAILED;
  }
  return at + 1;
}

/** A token id takes four bytes, little-endian. */
function readTokens(at: usize): usize {
  if (load<u8>(at) != OPEN_BRACKET) return FAILED;
  at = skipSpace(at + 1);
  while (load<u8>(at) != CLOSE_BRACKET) {
    const behind = skipValue(at, 0);
    const token = behind == FAILED ? -1 : smallInteger(at, behind);
    if (token < 0 || hasOutgrown(at)) return FAILED;
    store<u32>(copiedTo, token);
    copyTo(copiedTo + 4);
    at = skipComma(behind, CLOSE_BRACKET);
    if (at == FAILED) return FAILED;
  }
  return at + 1;
}

function readMessages(at: usize): usize {
  if (load<u8>(at) != OPEN_BRACKET) return FAILED;
  at = skipSpace(at + 1);
  if (load<u8>(at) == CLOSE_BRACKET) return FAILED;
  while (load<u8>(at) != CLOSE_BRACKET) {
    if (hasOutgrown(at)) return FAILED;
    at = skipComma(readMessage(at), CLOSE_BRACKET);
    if (at == FAILED) return FAILED;
  }
  return at + 1;
}

/** `<|im_start|>{role}\n{content}<|im_end|>\n`; content that comes before its role is read again behind it. */
function readMessage(at: usize): usize {
  if (load<u8>(at) != OPEN_BRACE) return FAILED;
  append("<|im_start|>");
  let isRoleSeen = false;
  let isContentSeen = false;
  let earlyContent: usize = 0;
  at = skipSpace(at + 1);
  while (load<u8>(at) != CLOSE_BRACE) {
    const keyEnd = skipKey(at);
    const value = keyEnd == FAILED ? FAILED : skipColon(keyEnd);
    if (value == FAILED) return FAILED;
    if (isString(at, keyEnd, "role")) {
      if (isRoleSeen) return FAILED;
      isRoleSeen = true;
      at = load<u8>(value) == QUOTE ? copyString(value) : skipValue(value, 0);
    } else if (isString(at, keyEnd, "content")) {
      if (isContentSeen) return FAILED;
      isContentSeen = true;
      if (isRoleSeen) {
        append("\n");
        at = copyContent(value);
      } else {
        earlyContent = value;
        at = skipValue(value, 0);
      }
    } else {
      at = skipValue(value, 0);
    }
    at = skipComma(at, CLOSE_BRACE);
    if (at == FAILED) return FAILED;
  }
  if (earlyContent != 0 || !isContentSeen) append("\n");
  if (earlyContent != 0 && copyContent(earlyContent) == FAILED) return FAILED;
  append("<|im_end|>\n");
  return at + 1;
}

/** Text parts joined; other parts and contents add nothing. */
function copyContent(at: usize): usize {
  if (load<u8>(at) == QUOTE) return copyString(at);
  if (load<u8>(at) != OPEN_BRACKET) return skipValue(at, 0);
  at = skipSpace(at + 1);
  while (load<u8>(at) != CLOSE_BRACKET) {
    at = load<u8>(at) == OPEN_BRACE ? readPart(at) : skipValue(at, 0);
    at = skipComma(at, CLOSE_BRACKET);
    if (at == FAILED) return FAILED;
  }
  return at + 1;
}

function readPart(at: usize): usize {
  let isTextSeen = false;
  let isTypeSeen = false;
  at = skipSpace(at + 1);
  while (load<u8>(at) != CLOSE_BRACE) {
    const keyEnd = skipKey(at);
    const value = keyEnd == FAILED ? FAILED : skipColon(keyEnd);
    if (value == FAILED) return FAILED;
    if (isString(at, keyEnd, "text")) {
      if (isTextSeen) return FAILED;
      isTextSeen = true;
      at = load<u8>(value) == QUOTE ? copyString(value) : skipValue(value, 0);
    } else if (isString(at, keyEnd, "type")) {
      if (isTypeSeen) return FAILED;
      isTypeSeen = true;
      at = load<u8>(value) == QUOTE ? skipPlainString(value) : skipValue(value, 0);
      if (at != FAILED && isMediaType(value, at)) {
        store<i32>(facts, load<i32>(facts, MEDIA_COUNT) + 1, MEDIA_COUNT);
      }
    } else {
      at = skipValue(value, 0);
    }
    at = skipComma(at, CLOSE_BRACE);
    if (at == FAILED) return FAILED;
  }
  return at + 1;
}

function isMediaType(at: usize, behind: usize): bool {
  return (
    isString(at, behind, "image_url") ||
    isString(at, behind, "audio_url") ||
    isString(at, behind, "video_url") ||
    isString(at, behind, "input_audio")
  );
}

/** Behind a key without escapes. */
function skipKey(at: usize): usize {
  return load<u8>(at) == QUOTE ? skipPlainString(at) : FAILED;
}

function isNull(at: usize): bool {
  return skipWord(at, "null") != FAILED;
}

function append(text: string): void {
  for (let i = 0; i < text.length; i++) store<u8>(copiedTo + i, text.charCodeAt(i) as u8);
  copyTo(copiedTo + text.length);
}

/** Whether more was written than the room that the caller left allows. */
function hasOutgrown(at: usize): bool {
  return ((copiedTo - promptStart) as isize) - ((at - bodyStart) as isize) > GROWTH_MAX;
}

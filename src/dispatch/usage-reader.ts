import type { IncomingHttpHeaders } from "node:http";
import { NO_USAGE, type Usage } from "../core/exchange-report.ts";
import { findJsonMember, readJsonMembers } from "../request/json-members.ts";
import { isEventStream, isJson } from "./headers.ts";
import { eventSpan, isOneEvent, type LineTaker, SseLines } from "./sse-lines.ts";

/** Longest JSON answer that is kept to read its usage; of a longer one nothing is known. */
export const MAX_JSON_BYTES: number = 8 * 1024 * 1024;

const KEY = Buffer.from('"usage"');
// Usages take a few hundred.
const MAX_TAIL_BYTES = 4096;
// The `n` of null.
const NULL_START = 0x6e;

/** Follows an answer's body on its way. */
export interface UsageReader {
  /** Returns how many events of a stream the chunk completed; `[DONE]` is none. */
  push(chunk: Buffer): number;
  /** What the body told; ask once it has ended. */
  usage(): Usage;
}

/** A reader for the kind of body that the headers announce. */
export function usageReader(headers: IncomingHttpHeaders): UsageReader {
  if (isEventStream(headers)) return eventUsageReader();
  return isJson(headers) ? jsonUsageReader() : { push: () => 0, usage: () => NO_USAGE };
}

/** `usage` of an answer or chunk in OpenAI's form; undefined where it is missing or null. */
export function readUsage(json: Uint8Array): Usage | undefined {
  const bytes = Buffer.from(json.buffer, json.byteOffset, json.byteLength);
  const at = bytes.lastIndexOf(KEY);
  if (at === -1) return undefined;
  const usage = recordOf(lastMember(bytes, at) ?? memberOf(bytes));
  if (usage === undefined) return undefined;
  // `/v1/responses` and `/v1/messages` say input and output.
  const details = recordOf(usage["prompt_tokens_details"] ?? usage["input_tokens_details"]);
  return {
    promptTokens: countOf(usage["prompt_tokens"] ?? usage["input_tokens"]),
    completionTokens: countOf(usage["completion_tokens"] ?? usage["output_tokens"]),
    cachedTokens: countOf(details?.["cached_tokens"]),
  };
}

/**
 * Engines write it behind the choices: when what begins at its key ends with the text's last brace,
 * it is a member of the whole, and the choices need not be read.
 */
function lastMember(bytes: Buffer, at: number): unknown {
  if (bytes.length - at > MAX_TAIL_BYTES) return undefined;
  try {
    return recordOf(JSON.parse(`{${bytes.toString("utf8", at)}`))?.["usage"];
  } catch {
    // It stands further inside.
    return undefined;
  }
}

function memberOf(bytes: Buffer): unknown {
  const top = readJsonMembers(bytes);
  const member = top && findJsonMember(top, "usage");
  return member && JSON.parse(bytes.toString("utf8", member.valueStart, member.valueEnd));
}

/**
 * Whether the chunk `bytes[start, end)` may hold a usage that is not null; spares the rest of a
 * stream the JSON scan.
 */
export function mayHoldUsage(bytes: Buffer, start: number, end: number): boolean {
  let at = keyWithin(bytes, start, end);
  while (at !== -1) {
    // The usual chunk says `"usage":null`; any other text after the key is left to the JSON scan.
    let value = at + KEY.length;
    while (value < end && isGap(bytes[value] as number)) value++;
    if (bytes[value] !== NULL_START) return true;
    at = keyWithin(bytes, value, end);
  }
  return false;
}

function keyWithin(bytes: Buffer, start: number, end: number): number {
  const at = bytes.indexOf(KEY, start);
  return at === -1 || at >= end ? -1 : at;
}

/** A colon or white space. */
function isGap(byte: number): boolean {
  return byte === 0x3a || byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

function eventUsageReader(): UsageReader {
  const lines = new SseLines();
  let usage = NO_USAGE;
  let eventCount = 0;
  const take: LineTaker = (bytes, start, end, isWhole) => {
    const span = isWhole ? eventSpan(bytes, start, end) : undefined;
    if (span === undefined) return;
    eventCount++;
    if (!mayHoldUsage(bytes, span.start, span.end)) return;
    usage = readUsage(bytes.subarray(span.start, span.end)) ?? usage;
  };
  return {
    push(chunk) {
      const before = eventCount;
      if (lines.isAtLineStart && isOneEvent(chunk)) take(chunk, 0, chunk.length - 1, true);
      else lines.push(chunk, take);
      return eventCount - before;
    },
    usage() {
      lines.flush(take);
      return usage;
    },
  };
}

function jsonUsageReader(): UsageReader {
  let chunks: Buffer[] = [];
  let sizeBytes = 0;
  return {
    push(chunk) {
      sizeBytes += chunk.length;
      if (sizeBytes <= MAX_JSON_BYTES) chunks.push(chunk);
      else chunks = [];
      return 0;
    },
    usage() {
      const [only] = chunks;
      const json = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
      return readUsage(json) ?? NO_USAGE;
    },
  };
}

function recordOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function countOf(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

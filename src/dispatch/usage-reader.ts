import type { IncomingHttpHeaders } from "node:http";
import { NO_USAGE, type Usage } from "../core/exchange-report.ts";
import { findJsonMember, readJsonMembers } from "../request/json-members.ts";
import { isEventStream, isJson } from "./headers.ts";
import { eventSpan, SseLines } from "./sse-lines.ts";

/** Longest JSON answer that is kept to read its usage; of a longer one nothing is known. */
export const MAX_JSON_BYTES: number = 8 * 1024 * 1024;

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
  const top = readJsonMembers(json);
  const member = top && findJsonMember(top, "usage");
  if (member === undefined) return undefined;
  const text = Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString(
    "utf8",
    member.valueStart,
    member.valueEnd,
  );
  const usage = recordOf(JSON.parse(text));
  if (usage === undefined) return undefined;
  // `/v1/responses` and `/v1/messages` say input and output.
  const details = recordOf(usage["prompt_tokens_details"] ?? usage["input_tokens_details"]);
  return {
    promptTokens: countOf(usage["prompt_tokens"] ?? usage["input_tokens"]),
    completionTokens: countOf(usage["completion_tokens"] ?? usage["output_tokens"]),
    cachedTokens: countOf(details?.["cached_tokens"]),
  };
}

/** Whether a chunk may hold a usage that is not null; spares the rest of a stream the JSON scan. */
export function mayHoldUsage(json: Buffer): boolean {
  const at = json.indexOf('"usage"');
  if (at === -1) return false;
  // The usual chunk says `"usage":null`; any other text after the key is left to the JSON scan.
  const value = json.toString("latin1", at + 7, at + 15).replace(/[\s:]/g, "");
  return !value.startsWith("null") || json.indexOf('"usage"', at + 7) !== -1;
}

function eventUsageReader(): UsageReader {
  const lines = new SseLines();
  let usage = NO_USAGE;
  let eventCount = 0;
  const take = (line: Buffer, isWhole: boolean): void => {
    const span = isWhole ? eventSpan(line) : undefined;
    if (span === undefined) return;
    eventCount++;
    const json = line.subarray(span.start, span.end);
    if (mayHoldUsage(json)) usage = readUsage(json) ?? usage;
  };
  return {
    push(chunk) {
      const before = eventCount;
      lines.push(chunk, take);
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
    usage: () => readUsage(Buffer.concat(chunks)) ?? NO_USAGE,
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

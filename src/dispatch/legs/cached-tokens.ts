import { findJsonMember, readJsonMembers } from "../../request/json-members.ts";
import { applyEdits, editMembers } from "../../request/span-edit.ts";
import { eventSpan, type LineTaker, SseLines } from "../sse-lines.ts";
import { mayHoldUsage, readUsage } from "../usage-reader.ts";

// Of completions and of `/v1/responses`.
const DETAILS = ["prompt_tokens_details", "input_tokens_details"] as const;

/**
 * An answer with the cached tokens that the client is to see, and those that the decode engine
 * counted.
 */
export interface RewrittenUsage {
  readonly bytes: Uint8Array;
  readonly decodeCachedTokens: number | null;
}

/**
 * Puts the prefill leg's `cached_tokens` in place of the decode leg's: the decode engine counts
 * what it
 * fetched. Null leaves the text as it is. Bytes outside that one number never change.
 */
export function rewriteCachedTokens(json: Uint8Array, cachedTokens: number | null): RewrittenUsage {
  const decodeCachedTokens = readUsage(json)?.cachedTokens ?? null;
  const top = readJsonMembers(json);
  const usageMember = top && findJsonMember(top, "usage");
  const usage = usageMember && readJsonMembers(json, usageMember.valueStart, usageMember.valueEnd);
  if (usage === undefined || cachedTokens === null) return { bytes: json, decodeCachedTokens };
  const name = DETAILS.find((candidate) => findJsonMember(usage, candidate) !== undefined);
  // Anthropic's usage counts in other words and has no such member.
  if (name === undefined && findJsonMember(usage, "input_tokens") !== undefined) {
    return { bytes: json, decodeCachedTokens };
  }
  const member = name === undefined ? undefined : findJsonMember(usage, name);
  const details = member && readJsonMembers(json, member.valueStart, member.valueEnd);
  const count = String(cachedTokens);
  const edits =
    details === undefined
      ? editMembers(usage, new Map([[name ?? DETAILS[0], `{"cached_tokens":${count}}`]]))
      : editMembers(details, new Map([["cached_tokens", count]]));
  return { bytes: applyEdits(json, edits), decodeCachedTokens };
}

/** Rewrites the usage chunk of a stream; other lines leave as soon as they are whole. */
export class EventUsageRewriter {
  readonly #lines = new SseLines();
  readonly #cachedTokens: number | null;
  #decodeCachedTokens: number | null = null;

  constructor(cachedTokens: number | null) {
    this.#cachedTokens = cachedTokens;
  }

  /** What the decode engine counted; known once its usage chunk has passed. */
  get decodeCachedTokens(): number | null {
    return this.#decodeCachedTokens;
  }

  /** The bytes that can leave; at most one unfinished line is held. */
  push(chunk: Buffer): Buffer {
    const out: Uint8Array[] = [];
    this.#lines.push(chunk, this.#rewriteInto(out));
    return Buffer.concat(out);
  }

  /** The bytes that a stream left behind at its end. */
  flush(): Buffer {
    const out: Uint8Array[] = [];
    this.#lines.flush(this.#rewriteInto(out));
    return Buffer.concat(out);
  }

  #rewriteInto(out: Uint8Array[]): LineTaker {
    return (bytes, start, end, isWhole) => {
      const span = isWhole ? eventSpan(bytes, start, end) : undefined;
      if (span === undefined || !mayHoldUsage(bytes, span.start, span.end)) {
        out.push(bytes.subarray(start, end));
        return;
      }
      const json = bytes.subarray(span.start, span.end);
      const rewritten = rewriteCachedTokens(json, this.#cachedTokens);
      this.#decodeCachedTokens = rewritten.decodeCachedTokens ?? this.#decodeCachedTokens;
      out.push(bytes.subarray(start, span.start), rewritten.bytes, bytes.subarray(span.end, end));
    };
  }
}

import type { InferenceRequest } from "../request/inference-request.ts";

/** Where the tokens of prompts come from. */
export interface TokenSource {
  /** For logs and metrics. */
  readonly name: string;
  /** Undefined where the source cannot say how the engine will read the request, whose body is given. */
  plan(request: InferenceRequest, body: RequestBody): TokenPlan | undefined;
  close(): Promise<void>;
}

/** A decoded body. */
export type RequestBody = Readonly<Record<string, unknown>>;

/** How one prompt is turned into tokens. */
export interface TokenPlan {
  /**
   * A key for each beginning of the prompt that ends with a segment: equal keys mean equal tokens, whatever
   * comes after.
   */
  readonly keys: readonly number[];
  /** Characters that the work is about. */
  readonly sizeBytes: number;
  /** Tokens of the segments from `from` on, or of more; rejects where they cannot be had. */
  run(from: number): Promise<SegmentTokens>;
}

/** Tokens of neighbouring segments. */
export interface SegmentTokens {
  /** First segment that they are of. */
  readonly from: number;
  readonly tokens: Uint32Array;
  /** Where each segment ends in `tokens`; −1 where that is not known. */
  readonly ends: Int32Array;
}

/** Keys of the beginnings that end with each of the segments. */
export function segmentKeys(segments: Iterable<string>): {
  readonly keys: readonly number[];
  readonly sizeBytes: number;
} {
  const keys: number[] = [];
  let lo = 0x811c9dc5;
  let hi = 0x9e3779b1;
  let sizeBytes = 0;
  for (const segment of segments) {
    for (let at = 0; at < segment.length; at++) {
      const code = segment.charCodeAt(at);
      lo = Math.imul(lo ^ code, 0x01000193);
      hi = Math.imul((hi ^ code) + (lo >>> 15), 0x85ebca6b);
    }
    // Where one segment ends and the next begins counts as well.
    lo = Math.imul(lo ^ (lo >>> 16) ^ segment.length, 0xc2b2ae35);
    hi = Math.imul(hi ^ (hi >>> 13) ^ lo, 0x27d4eb2f);
    // 53 of the 64 bits are exact in a number.
    keys.push((lo >>> 0) + (hi & 0x1fffff) * 4294967296);
    sizeBytes += segment.length;
  }
  return { keys, sizeBytes };
}

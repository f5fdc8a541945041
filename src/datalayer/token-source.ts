import { hash } from "node:crypto";
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
  readonly keys: readonly string[];
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
  readonly keys: readonly string[];
  readonly sizeBytes: number;
} {
  const keys: string[] = [];
  let parent = "";
  let sizeBytes = 0;
  for (const segment of segments) {
    // A key has a fixed length, so it cannot be confused with what follows it.
    parent = hash("sha1", parent + segment, "base64url");
    keys.push(parent);
    sizeBytes += segment.length;
  }
  return { keys, sizeBytes };
}

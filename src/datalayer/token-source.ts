import { chainSeed, plainBlockHasher } from "../request/block-hasher.ts";
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
  /** Bytes that the work is about. */
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

const encoder = new TextEncoder();

/** Keys of the beginnings that end with each of the segments. */
export function segmentKeys(segments: Iterable<string>): {
  readonly keys: readonly number[];
  readonly sizeBytes: number;
} {
  const keys: number[] = [];
  const pair = new Uint32Array(2);
  let parent = chainSeed("", undefined);
  let sizeBytes = 0;
  for (const segment of segments) {
    const bytes = encoder.encode(`${segment}\u0000`);
    plainBlockHasher.hash(bytes, 0, bytes.length, bytes.length, parent, pair);
    parent = { lo: pair[0] as number, hi: pair[1] as number };
    // 53 of the 64 bits are exact in a number.
    keys.push(parent.lo + (parent.hi & 0x1fffff) * 4294967296);
    sizeBytes += bytes.length;
  }
  return { keys, sizeBytes };
}

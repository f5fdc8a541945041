import type { RequestKind } from "./inference-request.ts";

/** What scheduling needs of a body. */
export interface BodyFacts {
  readonly model: string;
  readonly isStreaming: boolean;
  readonly isUsageStreamed: boolean;
  readonly maxOutputTokens: number | undefined;
  readonly cacheSalt: string | undefined;
  /** Images, audio and video parts of chat messages. */
  readonly mediaCount: number;
  /** The flattened prompt. */
  readonly promptBytes: Uint8Array;
}

/** Port: reads a body in one pass, without making a value of it. */
export interface BodyScanner {
  /** Undefined for what it leaves to `JSON.parse`, valid or not; else what that gives. */
  scan(body: Uint8Array, kind: RequestKind): BodyFacts | undefined;
}

import type { RequestKind } from "./inference-request.ts";
import type { PromptText } from "./prompt.ts";
import type { ReceivedBody } from "./received-body.ts";

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
  readonly prompt: Uint8Array | PromptText;
}

/** Port: reads a body in one pass, without making a value of it. */
export interface BodyScanner {
  /**
   * Undefined for what it leaves to `JSON.parse`, valid or not; else what that gives. The prompt is read
   * from the body, which must not change.
   */
  scan(body: ReceivedBody, kind: RequestKind): BodyFacts | undefined;
}

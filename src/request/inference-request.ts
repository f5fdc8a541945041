import type { ModelName, RequestId } from "../core/brand.ts";
import type { Prompt } from "./prompt.ts";
import type { ReceivedBody } from "./received-body.ts";
import type { SpanEdit } from "./span-edit.ts";

/** What a path asks for; `other` is any further POST under `/v1`, scheduled without prompt facts. */
export type RequestKind = "chat" | "completion" | "other";

/**
 * What is known of a prompt as the engine's tokens when the request arrives, four bytes a token. It may be
 * less than the whole: chains end where the known tokens end, and `sizeBytes` is the believed size.
 */
export interface PromptTokens extends Prompt {
  /** Leading tokens that are known; none while a tokenizer has not answered. */
  readonly count: number;
  /** Whether they are all of the prompt. */
  readonly isWhole: boolean;
}

/** A request as scheduling sees it. Its body stays with the front that received it. */
export interface InferenceRequest {
  readonly id: RequestId;
  readonly kind: RequestKind;
  /** Path that the engine is asked for, such as `/v1/chat/completions`. */
  readonly path: string;
  readonly model: ModelName;
  readonly isStreaming: boolean;
  /** Whether a stream ends with a usage chunk (`stream_options.include_usage`). */
  readonly isUsageStreamed: boolean;
  /** The client's limit on generated tokens, where it gave one. */
  readonly maxOutputTokens: number | undefined;
  readonly bodyBytes: number;
  /** The body as it was received, for work in the background; nothing that decides reads it. */
  readonly body?: ReceivedBody | undefined;
  /** Images, audio and video parts of chat messages. */
  readonly mediaCount: number;
  readonly prompt: Prompt;
  /** The prompt as the engine's own tokens; absent where its bytes are its tokens, four each. */
  readonly tokens?: PromptTokens | undefined;
  /** Hosts that may serve it, as a proxy names them; absent where any may. */
  readonly onlyHosts?: ReadonlySet<string> | undefined;
  /** Value of a client's header by lower-case name; plugins that read one say so in their documentation. */
  header(name: string): string | undefined;
  /** The same request for another model, and what changes in its body. */
  renamed(model: ModelName): RenamedRequest;
}

/** A request whose model was replaced by a rule. */
export interface RenamedRequest {
  readonly request: InferenceRequest;
  /** Edits of the received body; just the value of `model`. */
  readonly edits: readonly SpanEdit[];
}

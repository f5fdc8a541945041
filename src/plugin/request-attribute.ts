/** Key of a per-request value that one plugin sets and others read. */
export interface RequestAttribute<T> {
  readonly name: string;
  /** Carries the type only. */
  readonly __value?: T;
}

/** Makes a key; two plugins share it by importing the same constant from this folder. */
export function requestAttribute<T>(name: string): RequestAttribute<T> {
  return { name };
}

/** Who says what an endpoint holds: its engine, or the router's account of what it sent. */
export type PrefixSource = "events" | "approximate";

/** How many leading blocks of the prompt each endpoint holds. */
export interface PrefixMatch {
  /** Blocks that were looked for: min(full blocks, the configured maximum). */
  readonly blockCount: number;
  readonly blockBytes: number;
  /** Matched leading blocks, by slot. */
  readonly matchedBySlot: Int32Array;
  /** Absent where the producer does not say. */
  readonly source?: PrefixSource | undefined;
}

/** Set by the prefix-cache producer before scheduling. */
export const prefixMatch: RequestAttribute<PrefixMatch> = requestAttribute("prefix-match");

/** Prompt in tokens, by a tokenizer or by the estimate of four bytes a token. */
export const promptTokens: RequestAttribute<number> = requestAttribute("prompt-tokens");

/** Identity of the client's session, as a header or cookie names it. */
export const sessionId: RequestAttribute<string> = requestAttribute("session-id");

/** Output tokens that a request is expected to add to its endpoint's load. */
export const expectedOutputTokens: RequestAttribute<number> =
  requestAttribute("expected-output-tokens");

/** Stage that a client asked for by header. */
export type RequestedStage = "prefill" | "decode";

/** Set by `prefill-header-handler`, read by `pd-profile-handler`. */
export const requestedStage: RequestAttribute<RequestedStage> = requestAttribute("requested-stage");

/** Writes attributes while request hooks run. */
export interface AttributeWriter {
  /** `producer` names the instance that writes, for readers that ask for a certain one. */
  set<T>(attribute: RequestAttribute<T>, value: T, producer?: string): void;
}

import type { PromptSegment } from "../id-prompt.ts";

/** One request of a workload. */
export interface WorkloadRequest {
  readonly segments: readonly PromptSegment[];
  /** Tokens to generate, at least 1. */
  readonly outputTokens: number;
  /** What the same client sends once this is answered; undefined when it is done. */
  readonly followUp?: () => FollowUp | undefined;
}

/** A session's next request. */
export interface FollowUp {
  /** From the end of the answer to the next request. */
  readonly thinkUs: number;
  readonly request: WorkloadRequest;
}

/** A request and when it is sent, counted from the start of its stage. */
export interface Arrival {
  readonly atUs: number;
  readonly request: WorkloadRequest;
}

/** Requests of one stage in time order. */
export interface Stage {
  readonly name: string;
  readonly arrivals: Iterable<Arrival> | AsyncIterable<Arrival>;
  /** Requests, or sessions, under way at most: the next is sent when one ends. */
  readonly concurrencyMax?: number;
  /** Seconds after which nothing new is sent. */
  readonly secondsMax?: number;
}

/** What the clients of one service do: stages, each of which begins when the one before is drained. */
export interface Workload {
  readonly name: string;
  stages(): Iterable<Stage>;
}

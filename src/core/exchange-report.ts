import type { EndpointId, ModelName, RequestId } from "./brand.ts";
import type { EndCause, RejectionReason } from "./rejection.ts";

/** Token counts that an engine reported; null where it said nothing. */
export interface Usage {
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
  readonly cachedTokens: number | null;
}

/** Counts of an engine that said nothing. */
export const NO_USAGE: Usage = { promptTokens: null, completionTokens: null, cachedTokens: null };

/** How a split request went, as its sidecar told or the router's own legs did; null where a real engine does not say. */
export interface PdOutcome {
  readonly outcome: "remote" | "local" | "fallback" | "refused";
  readonly reason: string | null;
  readonly prefillEndpoint: string | null;
  readonly prefillMs: number | null;
  readonly handleBlocks: number | null;
  readonly kvBytes: number | null;
  readonly kvMs: number | null;
  /** Before `kvMs` begins: what the first transfer between two engines spends on getting acquainted. */
  readonly kvHandshakeMs: number | null;
  readonly prefillCachedTokens: number | null;
  readonly decodeCachedTokens: number | null;
}

/** Facts of a split request of which nothing is known but how it went. */
export const NO_PD_FACTS: Omit<PdOutcome, "outcome"> = {
  reason: null,
  prefillEndpoint: null,
  prefillMs: null,
  handleBlocks: null,
  kvBytes: null,
  kvMs: null,
  kvHandshakeMs: null,
  prefillCachedTokens: null,
  decodeCachedTokens: null,
};

/** Why a request was moved to another endpoint: the only faults that are retried. */
export const RETRY_REASONS = ["connect-failed", "connection-lost", "engine-busy"] as const;
export type RetryReason = (typeof RETRY_REASONS)[number];

/** What was seen of a request on its way. Times are engine milliseconds, with `wallMs` beside them. */
export interface Outcome {
  /** Status sent to the client; 499 when the client left first. */
  readonly status: number;
  readonly usage: Usage;
  readonly chunkCount: number;
  /** Arrival to first byte of the body; null without one. */
  readonly ttftMs: number | null;
  /** Mean gap between the chunks of a stream; null with fewer than two. */
  readonly itlMs: number | null;
  readonly e2eMs: number;
  readonly wallMs: number;
  readonly retryCount: number;
  /** One for each retry where the dispatcher tells them apart. */
  readonly retryReasons?: readonly RetryReason[];
  readonly responseBytes: number;
  readonly pd: PdOutcome | undefined;
}

/** One request from arrival to end: the access-log line and the request metrics are made from it. */
export interface ExchangeReport {
  readonly requestId: RequestId;
  /** Pool that served it; undefined when none was found. */
  readonly pool: string | undefined;
  /** A model that some pool serves, else undefined: an unchecked name never gets here. */
  readonly model: ModelName | undefined;
  readonly path: string;
  readonly isStreaming: boolean;
  readonly how: EndCause | "rejected";
  readonly rejection: RejectionReason | undefined;
  readonly decisionId: string | undefined;
  readonly endpoint: EndpointId | undefined;
  readonly prefillEndpoint: EndpointId | undefined;
  readonly requestBytes: number;
  readonly promptBytes: number;
  readonly outcome: Outcome;
}

/** Port for what is seen of exchanges; telemetry implements it. */
export interface ExchangeObserver {
  /** A request was decided and leaves for an engine. */
  started(model: ModelName): void;
  /** Time between two chunks of a stream, engine milliseconds. */
  chunkGap(model: ModelName, gapMs: number): void;
  /** Called once for each request that reached the front, rejected ones too. */
  finished(report: ExchangeReport): void;
}

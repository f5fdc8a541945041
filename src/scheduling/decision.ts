import type { EndpointId, ModelName, RequestId } from "../core/brand.ts";
import type { Outcome } from "../core/exchange-report.ts";
import type { EndCause, RejectionReason } from "../core/rejection.ts";
import type { RequestKind } from "../request/inference-request.ts";

/** Why a request went where it went: served by the admin API, `explain`, recordings and the dashboard. */
export interface Decision {
  /** `<pool>.<number>`. */
  readonly id: string;
  readonly number: number;
  readonly atMs: number;
  /** `open` until its end is known; `expired` when no end came within the limit. */
  readonly state: "open" | "closed" | "expired";
  readonly request: RequestFacts;
  /** Who said what the endpoints hold of the prompt; null where no producer was asked. */
  readonly prefixSource: "events" | "approximate" | null;
  /** In the order in which they ran. */
  readonly profiles: readonly ProfileDecision[];
  readonly endpoint: EndpointId | null;
  readonly prefillEndpoint: EndpointId | null;
  readonly rejection: { readonly reason: RejectionReason; readonly message: string } | null;
  readonly retries: readonly RetryStep[];
  readonly how: EndCause | null;
  readonly outcome: Outcome | null;
}

/** What is kept of a request: no prompt text. */
export interface RequestFacts {
  readonly id: RequestId;
  /** After rewriting. */
  readonly model: ModelName;
  /** What the client asked for, where a rule replaced it. */
  readonly askedModel?: ModelName | undefined;
  /** Of the InferenceObjective that the request names; 0 without one. */
  readonly priority: number;
  readonly kind: RequestKind;
  readonly isStreaming: boolean;
  readonly promptBytes: number;
  readonly bodyBytes: number;
}

/** The destination moved after a failure. */
export interface RetryStep {
  readonly from: EndpointId;
  readonly to: EndpointId;
}

/** One profile's run. */
export interface ProfileDecision {
  readonly profile: string;
  readonly picker: string;
  readonly scorers: readonly { readonly scorer: string; readonly weight: number }[];
  /** All candidates up to 128; of more, the 32 best survivors. */
  readonly candidates: readonly CandidateFate[];
  /** Candidates that are not listed, by rejecting filter and reason; `filter` null counts survivors. */
  readonly omitted: readonly OmittedCandidates[];
  readonly picked: EndpointId | null;
  readonly runnerUp: EndpointId | null;
  /** Total of the picked one minus the runner-up's. */
  readonly margin: number | null;
}

/** Candidates that a large decision only counts. */
export interface OmittedCandidates {
  readonly filter: string | null;
  readonly reason: string | null;
  readonly count: number;
}

/** What happened to one candidate. */
export interface CandidateFate {
  readonly endpoint: EndpointId;
  readonly rejectedBy: string | null;
  readonly reason: string | null;
  /** In the order of the profile's scorers; empty for a rejected one. */
  readonly scores: readonly { readonly raw: number; readonly weighted: number }[];
  readonly total: number | null;
  /** From 1; null for a rejected one. */
  readonly rank: number | null;
  readonly metrics: CandidateMetrics;
}

/** The endpoint's state that the decision saw; null is unknown. */
export interface CandidateMetrics {
  /** Age of the last scrape. */
  readonly ageMs: number | null;
  readonly waitingQueueDepth: number | null;
  readonly scrapedWaitingQueueDepth: number | null;
  readonly kvCacheUsage: number | null;
  readonly scrapedKvCacheUsage: number | null;
  readonly runningRequests: number | null;
  readonly inFlightRequests: number | null;
}

import type { EndpointId } from "../core/brand.ts";
import type { Outcome } from "../core/exchange-report.ts";
import type { KvEvent } from "../core/kv-event.ts";
import type { EndCause, Rejection } from "../core/rejection.ts";
import type { EndpointChange, EndpointTable, MetricSample } from "../endpoints/endpoint-table.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import type { DispatchPlan, Target } from "./dispatch-plan.ts";

/** What became of an arriving request. */
export type Admission =
  | { readonly kind: "decided"; readonly plan: DispatchPlan; readonly decision: DecisionNumber }
  /** `decision` is undefined when nobody was there to choose from. */
  | {
      readonly kind: "rejected";
      readonly rejection: Rejection;
      readonly decision: DecisionNumber | undefined;
    }
  /** A later `tick` decides; never before flow control exists, but fronts handle it. */
  | { readonly kind: "queued"; readonly decision: DecisionNumber };

/**
 * Counts the arrivals of one core from 1: with the seed it fixes the decision's randomness, and it names
 * the exchange afterwards, because clients may use one `x-request-id` for several requests at once.
 */
export type DecisionNumber = number;

/**
 * The only door to scheduling. Synchronous and deterministic: http, extproc and simulate all call it,
 * recording wraps it, and every input that can change a decision enters here. One core serves one pool.
 */
export interface RouterCore {
  readonly endpoints: EndpointTable;
  /** Decides at once. A decided request stays in flight until `end`. */
  arrive(request: InferenceRequest, nowMs: number): Admission;
  /**
   * Moves a request off the endpoint that failed it: in-flight and prefix credit go with it, the prefill
   * choice stays. Undefined when no fallback is left or the retry limit is reached.
   */
  retry(decision: DecisionNumber, failed: Target, nowMs: number): Target | undefined;
  /** Headers that plugins add to the answer; asked for before its head is sent. */
  responseHeaders(decision: DecisionNumber): ReadonlyMap<string, string>;
  /** First byte of the answer's body. */
  firstByte(decision: DecisionNumber, nowMs: number): void;
  /** Called exactly once for each decided request. An unknown number is ignored: it expired. */
  end(decision: DecisionNumber, how: EndCause, outcome: Outcome, nowMs: number): void;
  metrics(slot: number, sample: MetricSample, nowMs: number): void;
  kvEvents(slot: number, events: readonly KvEvent[], nowMs: number): void;
  endpoint(change: EndpointChange, nowMs: number): void;
  health(slot: number, isReady: boolean, nowMs: number): void;
  /** Slot of an endpoint, undefined when it is unknown. */
  slotOf(id: EndpointId): number | undefined;
  /** No new request is decided from here on. */
  drain(): void;
  /** Requests decided and not ended. */
  readonly inFlightCount: number;
  /** When `tick` has something to do; Infinity when nothing. The driver owns the timer. */
  nextDeadlineMs(): number;
  tick(nowMs: number): void;
}

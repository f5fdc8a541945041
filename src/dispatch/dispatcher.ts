import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { ModelName } from "../core/brand.ts";
import type { DispatchPlan } from "../director/dispatch-plan.ts";
import type { DecisionNumber, RouterCore } from "../director/router-core.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import type { ReceivedBody } from "../request/received-body.ts";

/** A decided request with the client's side of it. */
export interface DispatchJob {
  readonly core: RouterCore;
  readonly pool: string;
  /** The request's model when the pool is known to serve it. */
  readonly model: ModelName | undefined;
  readonly request: InferenceRequest;
  readonly plan: DispatchPlan;
  /** Names the exchange to `core`. */
  readonly decision: DecisionNumber;
  /** `<pool>.<number>`, as `/api/decisions/{id}` takes it. */
  readonly decisionId: string;
  /** The client's headers, unfiltered. */
  readonly headers: IncomingHttpHeaders;
  readonly body: ReceivedBody;
  readonly response: ServerResponse;
  /** When the request's headers arrived: engine time and wall time. */
  readonly arrivedAtMs: number;
  readonly arrivedWallMs: number;
}

/** Sends decided requests to engines and relays the answers. */
export interface Dispatcher {
  /**
   * Runs one job to its end: retries, relay, deadlines, `core.firstByte`, `core.end` exactly once and one
   * report to the observer. Operating faults become an answer to the client, never a rejection.
   */
  dispatch(job: DispatchJob): Promise<void>;
  /** Closes the pool of an endpoint that is gone. */
  forget(address: string): void;
  /** Closes all connections; jobs under way are cut. */
  close(): Promise<void>;
}

import type { IncomingHttpHeaders } from "node:http";
import type { JsonObject } from "@bufbuild/protobuf";
import type { EndCause } from "../../core/rejection.ts";
import { type DispatchPlan, OWN_HEADER_PREFIX, type Target } from "../../director/dispatch-plan.ts";
import type { DecisionNumber } from "../../director/router-core.ts";
import type { TimedJob } from "../../dispatch/answer-times.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import { AnswerWatch } from "./answer-watch.ts";
import { pathAlone } from "./exchange-facts.ts";
import type { ExtProcContext } from "./extproc-context.ts";
import type { HeaderChange } from "./processing-reply.ts";

/** A decided request as its exchange holds it. */
export interface DecidedJob extends TimedJob {
  readonly pool: string;
  readonly request: InferenceRequest;
  readonly plan: DispatchPlan;
  readonly arrivedWallMs: number;
}

/** Metadata by which a gateway tells which of several endpoints it used (GAIE). */
const SERVED_NAMESPACE = "envoy.lb";
const SERVED_KEY = "x-gateway-destination-endpoint-served";

/** A request on its way through an engine: the answer is watched, and the core is told of its end. */
export class DecidedExchange {
  readonly plan: DispatchPlan;
  readonly decision: DecisionNumber;
  readonly #job: DecidedJob;
  readonly #context: Pick<ExtProcContext, "clock" | "observer">;
  readonly #watch: AnswerWatch;
  #target: Target;

  constructor(job: DecidedJob, context: Pick<ExtProcContext, "clock" | "observer">) {
    this.plan = job.plan;
    this.decision = job.decision;
    this.#job = job;
    this.#context = context;
    this.#watch = new AnswerWatch(job, job.plan, context);
    this.#target = job.plan.primary[0] as Target;
  }

  /** Status of the answer, 0 until its head came. */
  get status(): number {
    return this.#watch.status;
  }

  /** Takes the answer's head; returns what is changed of it for the client. */
  answerHead(
    headers: IncomingHttpHeaders,
    metadata: Readonly<Record<string, JsonObject>> | undefined,
  ): HeaderChange {
    this.#watch.head(headers);
    const served = metadata?.[SERVED_NAMESPACE]?.[SERVED_KEY];
    if (typeof served === "string") this.#follow(served);
    const { core, decision, request, pool } = this.#job;
    const set = new Map(core.responseHeaders(decision));
    set.set("x-request-id", request.id);
    set.set("x-switchyard-endpoint", this.#target.id);
    set.set("x-switchyard-decision", `${pool}.${decision}`);
    const prefill = this.#watch.prefillEndpoint();
    if (prefill !== undefined) set.set("x-switchyard-prefill-endpoint", prefill);
    return { set, remove: ownHeaders(headers).filter((name) => !set.has(name)) };
  }

  answerBody(bytes: Uint8Array): void {
    this.#watch.body(bytes);
  }

  /** Takes the answer's trailers; returns the names that the client does not get. */
  answerTrailers(headers: IncomingHttpHeaders): readonly string[] {
    this.#watch.trailers(headers);
    return ownHeaders(headers);
  }

  /** Closes the books; to be called once. */
  end(how: EndCause, status: number): void {
    const { core, decision, request, pool, model, arrivedAtMs, arrivedWallMs } = this.#job;
    const { clock, observer } = this.#context;
    const nowMs = clock.nowMs();
    const outcome = {
      ...this.#watch.outcome(),
      status,
      e2eMs: nowMs - arrivedAtMs,
      wallMs: performance.now() - arrivedWallMs,
    };
    core.end(decision, how, outcome, nowMs);
    observer.finished({
      requestId: request.id,
      pool,
      model,
      path: pathAlone(request.path),
      isStreaming: request.isStreaming,
      how,
      rejection: undefined,
      decisionId: `${pool}.${decision}`,
      endpoint: this.#target.id,
      prefillEndpoint: this.#watch.prefillEndpoint(),
      requestBytes: request.bodyBytes,
      promptBytes: request.prompt.sizeBytes,
      outcome,
    });
  }

  /** The proxy went on to a fallback by itself: in-flight and prefix credit go there too. */
  #follow(served: string): void {
    const { core, decision, plan } = this.#job;
    const isKnown = plan.primary.some(({ address }) => address === served);
    while (isKnown && this.#target.address !== served) {
      const next = core.retry(decision, this.#target, this.#context.clock.nowMs());
      if (next === undefined) return;
      this.#target = next;
    }
  }
}

/** Headers of the router's own kind: sidecars and engines talk to the router by them, not to clients. */
function ownHeaders(headers: IncomingHttpHeaders): string[] {
  return Object.keys(headers).filter((name) => name.startsWith(OWN_HEADER_PREFIX));
}

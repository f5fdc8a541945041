import type { IncomingHttpHeaders } from "node:http";
import { performance } from "node:perf_hooks";
import type { EndpointId } from "../core/brand.ts";
import type { Clock } from "../core/clock.ts";
import {
  type ExchangeObserver,
  NO_USAGE,
  type Outcome,
  type PdOutcome,
  type RetryReason,
} from "../core/exchange-report.ts";
import type { Log } from "../core/log.ts";
import type { EndCause } from "../core/rejection.ts";
import type { RouterError } from "../core/router-error.ts";
import type { Target } from "../director/dispatch-plan.ts";
import { applyEdits } from "../request/span-edit.ts";
import { AnswerTimes } from "./answer-times.ts";
import { ClientSide } from "./client-side.ts";
import { Deadline, type DeadlineWatch, wallLimitMs } from "./deadline.ts";
import type { DispatchJob } from "./dispatcher.ts";
import type { ErrorAnswer } from "./error-answer.ts";
import { headerText, isEventStream, relayedHeaders } from "./headers.ts";
import type { PrefillFailure, PrefillFault } from "./legs/prefill-leg.ts";
import type { LegsSink, TwoLegs } from "./legs/two-legs.ts";
import { PD_HEADER, parsePdHeader } from "./pd-header.ts";
import { endOfPrefill, engineHeaders, openRouterLegs, type RouterLegs } from "./router-legs.ts";
import type { ResponseHead, Upstream, UpstreamCall } from "./upstream.ts";
import { type UsageReader, usageReader } from "./usage-reader.ts";

/** What all exchanges of a dispatcher share. */
export interface ExchangeContext {
  readonly upstream: Upstream;
  readonly deadlines: DeadlineWatch;
  readonly clock: Clock;
  readonly observer: ExchangeObserver;
  readonly log: Log;
  /** Engine seconds per wall second. */
  readonly timeScale: number;
  readonly limits: ExchangeLimits;
  /** How the router runs the legs of a plan that gives them to it. */
  readonly legs: RouterLegs;
}

/** Bounds of one exchange. */
export interface ExchangeLimits {
  /** How often another endpoint may be tried. */
  readonly retryLimit: number;
  /** Engine milliseconds from dispatch to the first byte of the body, retries included. */
  readonly firstByteTimeoutMs: number;
  /** Engine milliseconds in which a body must make progress, on the client's side too. */
  readonly gapTimeoutMs: number;
}

const NO_REASONS: readonly RetryReason[] = [];
// nginx's status for a client that closed its request; it stands in records only.
const CLIENT_LEFT_STATUS = 499;

/** One decided request from the first attempt to its end. */
export class Exchange implements LegsSink {
  readonly #context: ExchangeContext;
  readonly #job: DispatchJob;
  readonly #client: ClientSide;
  readonly #deadline: Deadline;
  readonly #times: AnswerTimes;
  readonly #body: readonly Uint8Array[];
  /** The request in two legs; undefined for one that goes to one endpoint. */
  readonly #legs: TwoLegs | undefined;
  readonly #finished: Promise<void>;
  readonly #finish: () => void;
  #target: Target;
  #call: UpstreamCall | undefined;
  #reader: UsageReader | undefined;
  #status = 0;
  #retryReasons: readonly RetryReason[] = NO_REASONS;
  #responseBytes = 0;
  /** Events of the current read. */
  #eventCount = 0;
  #pdHeader: string | undefined;
  #pd: PdOutcome | undefined;
  #isOver = false;

  constructor(job: DispatchJob, target: Target, context: ExchangeContext) {
    this.#context = context;
    this.#job = job;
    this.#target = target;
    const { body, plan } = job;
    this.#body = plan.edits.length === 0 ? body.pieces : [applyEdits(body.whole, plan.edits)];
    this.#legs = openRouterLegs({ job, body: this.#body }, context, (prefill, fault) =>
      this.#prefillPassedOver(prefill, fault),
    );
    this.#times = new AnswerTimes(job, context);
    this.#deadline = new Deadline(context.deadlines, () => this.#expire());
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#finished = promise;
    this.#finish = resolve;
    this.#client = new ClientSide(job.response, {
      left: () => this.#clientLeft(),
      drained: () => {
        this.#deadline.touch();
        this.#call?.resume();
      },
    });
  }

  run(): Promise<void> {
    const { model } = this.#job;
    if (model !== undefined) this.#context.observer.started(model);
    if (this.#client.isGone) {
      this.#clientLeft();
    } else {
      this.#deadline.restart(this.#wallMs(this.#context.limits.firstByteTimeoutMs));
      this.#send();
    }
    return this.#finished;
  }

  head(head: ResponseHead): void {
    if (head.status === 503 && this.#retry("engine-busy")) return;
    this.#status = head.status;
    this.#reader = usageReader(head.headers);
    this.#pdHeader = headerText(head.headers, PD_HEADER);
    this.#readPd(undefined);
    const headers = relayedHeaders(head, this.#ownHeaders());
    const { isChunked } = head;
    this.#client.head(head.status, headers, { isStream: isEventStream(head.headers), isChunked });
  }

  data(chunk: Buffer): void {
    if (this.#responseBytes === 0) {
      this.#times.firstByte();
      this.#deadline.restart(this.#wallMs(this.#context.limits.gapTimeoutMs));
    }
    this.#responseBytes += chunk.length;
    this.#eventCount += this.#reader?.push(chunk) ?? 0;
    if (this.#client.isRelaying) return;
    this.#progress();
    if (!this.#client.write(chunk)) this.#call?.pause();
  }

  framed(bytes: Buffer, isLast: boolean): void {
    if (!this.#client.isRelaying) return;
    this.#progress();
    if (!this.#client.relay(bytes, isLast)) this.#call?.pause();
  }

  end(trailers: IncomingHttpHeaders): void {
    this.#readPd(headerText(trailers, PD_HEADER));
    this.#client.end(this.#wallMs(this.#context.limits.gapTimeoutMs));
    this.#settle(this.#status >= 500 ? "engine-error" : "completed");
  }

  failed(fault: RouterError): void {
    if (this.#isOver) return;
    const how = fault.code === "ROUTER_UPSTREAM_CONNECT" ? "connect-failed" : "connection-lost";
    if (how === "connect-failed") this.#reportUnhealthy(this.#target);
    if (fault.isRetryable && this.#retry(how)) return;
    this.#break(how, {
      status: 502,
      type: "upstream_error",
      code: "upstream_error",
      message: fault.message,
    });
  }

  /** No prefill endpoint could be used, and the decode engine is not to compute the prompt. */
  prefillFailed({ fault, status }: PrefillFailure): void {
    const type = fault === "timeout" ? "timeout" : "upstream_error";
    const message = `prefill failed: ${fault}`;
    this.#break(endOfPrefill(fault), { status, type, code: type, message });
  }

  #prefillPassedOver(target: Target, fault: PrefillFault): void {
    const { id: requestId } = this.#job.request;
    this.#context.log.warn("prefill-failed", { requestId, endpoint: target.id, fault });
    if (fault === "connect-error") this.#reportUnhealthy(target);
  }

  /** Once for each read of the engine's bytes. */
  #progress(): void {
    this.#deadline.touch();
    this.#times.events(this.#eventCount);
    this.#eventCount = 0;
  }

  #send(): void {
    const { request, response } = this.#job;
    const target = {
      address: this.#target.address,
      headers: engineHeaders(this.#job, this.#target),
    };
    if (this.#legs !== undefined) {
      this.#call = this.#legs.send(target, this);
      return;
    }
    const method = response.req.method ?? "POST";
    const whole = { ...target, method, path: request.path, body: this.#body };
    this.#call = this.#context.upstream.send(whole, this);
  }

  /** Moves to the next endpoint, unless none is left or the limit is reached. */
  #retry(reason: RetryReason): boolean {
    const { core, request, decision } = this.#job;
    const { clock, limits, log } = this.#context;
    if (this.#retryReasons.length >= limits.retryLimit) return false;
    const next = core.retry(decision, this.#target, clock.nowMs());
    if (next === undefined) return false;
    log.info("request-retried", {
      requestId: request.id,
      from: this.#target.id,
      to: next.id,
      reason,
    });
    this.#call?.abort();
    this.#retryReasons = [...this.#retryReasons, reason];
    this.#target = next;
    this.#send();
    return true;
  }

  #reportUnhealthy({ slot, generation }: Target): void {
    const { core } = this.#job;
    // The slot may belong to another endpoint by now.
    if (core.endpoints.generation(slot) !== generation) return;
    core.health(slot, false, this.#context.clock.nowMs());
  }

  #clientLeft(): void {
    this.#call?.abort();
    this.#noteLegs();
    this.#status = CLIENT_LEFT_STATUS;
    this.#settle("client-left");
  }

  #expire(): void {
    this.#call?.abort();
    const message = this.#client.hasHead
      ? "the answer made no progress in time"
      : "engine did not answer in time";
    this.#break("timeout", { status: 504, type: "timeout", code: "timeout", message });
  }

  /**
   * Ends without a complete answer: with an error where nothing was sent, else with a cut
   * connection.
   */
  #break(how: EndCause, answer: ErrorAnswer): void {
    this.#noteLegs();
    const { message } = answer;
    this.#context.log.warn("request-failed", {
      requestId: this.#job.request.id,
      endpoint: this.#target.id,
      how,
      message,
    });
    this.#client.release();
    if (this.#client.hasHead) {
      this.#client.cut();
    } else {
      this.#status = answer.status;
      const headers = [...this.#ownHeaders()].flat();
      this.#client.answer(answer, headers, this.#wallMs(this.#context.limits.gapTimeoutMs));
    }
    this.#settle(how);
  }

  #settle(how: EndCause): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deadline.clear();
    this.#client.release();
    const job = this.#job;
    const { core, request } = job;
    const nowMs = this.#context.clock.nowMs();
    const outcome: Outcome = {
      status: this.#status,
      usage: this.#reader?.usage() ?? NO_USAGE,
      chunkCount: this.#times.chunkCount,
      ttftMs: rounded(this.#times.ttftMs),
      itlMs: rounded(this.#times.itlMs),
      e2eMs: rounded(nowMs - job.arrivedAtMs),
      wallMs: rounded(performance.now() - job.arrivedWallMs),
      retryCount: this.#retryReasons.length,
      retryReasons: this.#retryReasons,
      responseBytes: this.#responseBytes,
      pd: this.#pd,
    };
    core.end(job.decision, how, outcome, nowMs);
    this.#context.observer.finished({
      requestId: request.id,
      pool: job.pool,
      model: job.model,
      path: request.path,
      isStreaming: request.isStreaming,
      how,
      rejection: undefined,
      decisionId: job.decisionId,
      endpoint: this.#target.id,
      prefillEndpoint: this.#prefillEndpoint(),
      requestBytes: request.bodyBytes,
      promptBytes: request.prompt.sizeBytes,
      outcome,
    });
    this.#finish();
  }

  /** A sidecar, or our own legs, name the address; only an endpoint of the plan is believed. */
  #readPd(trailer: string | undefined): void {
    const pd = this.#legs?.outcome ?? parsePdHeader(this.#pdHeader, trailer);
    if (pd === undefined) return;
    const named = pd.prefillEndpoint;
    const endpoint = this.#job.plan.prefill.find((t) => t.address === named || t.id === named);
    this.#pd = { ...pd, prefillEndpoint: endpoint?.id ?? null };
  }

  /** What our own legs did of a request that has no complete answer. */
  #noteLegs(): void {
    if (this.#legs !== undefined) this.#readPd(undefined);
  }

  /** The endpoint that ran prefill as the sidecar tells, the plan's choice where none tells. */
  #prefillEndpoint(): EndpointId | undefined {
    const { prefill } = this.#job.plan;
    const pd = this.#pd;
    return pd === undefined ? prefill[0]?.id : prefill.find((t) => t.id === pd.prefillEndpoint)?.id;
  }

  #ownHeaders(): ReadonlyMap<string, string> {
    const { core, decision, request, decisionId } = this.#job;
    const headers = new Map(core.responseHeaders(decision));
    headers.set("x-request-id", request.id);
    headers.set("x-switchyard-endpoint", this.#target.id);
    headers.set("x-switchyard-decision", decisionId);
    const prefillEndpoint = this.#prefillEndpoint();
    if (prefillEndpoint !== undefined) {
      headers.set("x-switchyard-prefill-endpoint", prefillEndpoint);
    }
    return headers;
  }

  #wallMs(engineMs: number): number {
    return wallLimitMs(engineMs, this.#context.timeScale);
  }
}

/** Microseconds are as fine as these clocks are. */
function rounded<T extends number | null>(ms: T): T {
  return (ms === null ? null : Math.round(ms * 1000) / 1000) as T;
}

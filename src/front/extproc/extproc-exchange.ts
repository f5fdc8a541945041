import type { IncomingHttpHeaders } from "node:http";
import { barePath } from "../../core/bare-path.ts";
import type { RequestId } from "../../core/brand.ts";
import type { EndCause, Rejection } from "../../core/rejection.ts";
import { headerText } from "../../dispatch/headers.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import {
  kindOf,
  type ParseResult,
  parseRequest,
  requestWithoutBody,
} from "../../request/parse-request.ts";
import { ReceivedBody } from "../../request/received-body.ts";
import { applyEdits } from "../../request/span-edit.ts";
import { requestIdOf } from "../http/client-exchange.ts";
import { errorAnswer } from "../http/error-answer.ts";
import { BodyCollector } from "./body-collector.ts";
import { BodySender } from "./body-sender.ts";
import { DecidedExchange } from "./decided-exchange.ts";
import { reportOf } from "./exchange-facts.ts";
import type { ExtProcContext } from "./extproc-context.ts";
import type { GrpcCall, GrpcCallHandler } from "./grpc-call.ts";
import { GRPC_STATUS, GrpcFault } from "./grpc-status.ts";
import { type ProcessingMessage, readProcessingMessage } from "./processing-message.ts";
import { checkModes } from "./processing-modes.ts";
import { headersReply, immediateReply, trailersReply } from "./processing-reply.ts";
import { destinationOf, requestChange } from "./request-change.ts";
import { subsetHint } from "./subset-hint.ts";

/** A request's headers, and when they came: engine time and wall time. */
interface Asked {
  readonly id: RequestId;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly onlyHosts: ReadonlySet<string> | undefined;
  readonly arrivedAtMs: number;
  readonly arrivedWallMs: number;
}

/** What of a refused request was found out before. */
interface Known {
  readonly requestBytes?: number;
  readonly request?: InferenceRequest;
  readonly model?: InferenceRequest["model"] | undefined;
  readonly decisionId?: string | undefined;
}

type Piece<Part extends ProcessingMessage["part"]> = Extract<ProcessingMessage, { part: Part }>;

/**
 * One HTTP exchange of the proxy: collects the request, has it decided, gives headers and body back, and
 * watches the answer pass. The books are closed exactly once, however the call ends.
 */
export class ExtProcExchange implements GrpcCallHandler {
  readonly #call: GrpcCall;
  readonly #context: ExtProcContext;
  readonly #sender: BodySender;
  #asked: Asked | undefined;
  #collector: BodyCollector | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isRequestWhole = false;
  #decided: DecidedExchange | undefined;
  #answer: "none" | "begun" | "over" = "none";
  #isOver = false;

  constructor(call: GrpcCall, context: ExtProcContext) {
    this.#call = call;
    this.#context = context;
    this.#sender = new BodySender(call, () => this.#collector?.release());
  }

  message(bytes: Buffer): void {
    const message = readProcessingMessage(bytes);
    const isRequest = message.half === "request";
    switch (message.part) {
      case "headers":
        if (isRequest) this.#requestHeaders(message);
        else this.#answerHeaders(message);
        break;
      case "body":
        if (isRequest) this.#requestBody(message);
        else this.#answerBody(message);
        break;
      case "trailers":
        if (isRequest) this.#requestWhole(true);
        else this.#answerTrailers(message);
        break;
    }
  }

  halfClosed(): void {
    this.#leave();
    this.#call.end(GRPC_STATUS.ok);
  }

  drained(): void {
    this.#sender.resume();
    // An answer's piece was too fast for the proxy; the request's own wait for room is over by then.
    if (this.#answer !== "none") this.#call.resume();
  }

  closed(): void {
    this.#leave();
  }

  #requestHeaders(message: Piece<"headers">): void {
    if (this.#asked !== undefined) throw misplaced("second request headers");
    const context = this.#context;
    const { headers } = message;
    const path = headerText(headers, ":path");
    if (path === undefined) throw misplaced("request headers without :path");
    checkModes(message);
    this.#asked = {
      id: requestIdOf({ headers }),
      path,
      headers,
      onlyHosts: context.isSubsetObeyed ? subsetHint(message.metadata) : undefined,
      arrivedAtMs: context.clock.nowMs(),
      arrivedWallMs: performance.now(),
    };
    if (message.isEnd) {
      this.#isRequestWhole = true;
      this.#decide(this.#asked, undefined, false);
      return;
    }
    const encoding = headerText(headers, "content-encoding") ?? "identity";
    if (encoding.toLowerCase() !== "identity") {
      this.#reject({ reason: "unsupported-encoding", message: COMPRESSED });
      return;
    }
    const { budget, bodyBytesMax: bytesMax, requestTimeoutMs } = context;
    const declared = declaredBytes(headers);
    if (declared !== undefined && declared > bytesMax) {
      this.#reject({ reason: "body-too-large", message: `the body is over ${bytesMax} bytes` });
      return;
    }
    this.#timer = setTimeout(() => this.#reject(TOO_SLOW), requestTimeoutMs);
    this.#collector = new BodyCollector({ budget, bytesMax }, declared, {
      pause: () => this.#call.pause(),
      resume: () => this.#call.resume(),
      refused: (rejection) => this.#reject(rejection),
    });
  }

  #requestBody(message: Piece<"body">): void {
    if (this.#asked === undefined) throw misplaced("a request body before its headers");
    if (this.#isRequestWhole) throw misplaced("a request body after its end");
    this.#collector?.push(message.bytes);
    if (message.isEnd) this.#requestWhole(false);
  }

  #requestWhole(hasTrailers: boolean): void {
    const asked = this.#asked;
    if (asked === undefined) throw misplaced("request trailers before headers");
    if (this.#isRequestWhole) throw misplaced("request trailers after the end");
    this.#isRequestWhole = true;
    this.#collector?.finish((body) => this.#decide(asked, body, hasTrailers));
  }

  #decide(asked: Asked, body: Uint8Array | undefined, hasTrailers: boolean): void {
    clearTimeout(this.#timer);
    const { pool, clock, observer } = this.#context;
    const parsed = this.#parse(asked, body);
    if (parsed.kind === "invalid") {
      const known = { requestBytes: body?.length ?? 0 };
      this.#reject({ reason: "invalid-request", message: parsed.message }, parsed.param, known);
      return;
    }
    const { request } = parsed;
    const model = pool.isNamed(request.model) ? request.model : undefined;
    const admission = pool.core.arrive(request, clock.nowMs());
    const { decision } = admission;
    const decisionId = decision === undefined ? undefined : `${pool.key}.${decision}`;
    if (admission.kind !== "decided") {
      const rejection = admission.kind === "rejected" ? admission.rejection : SATURATED;
      this.#reject(rejection, null, { request, model, decisionId });
      return;
    }
    const { plan } = admission;
    const { arrivedAtMs, arrivedWallMs } = asked;
    const job = { core: pool.core, decision: admission.decision, model, arrivedAtMs };
    const decided = new DecidedExchange(
      { ...job, arrivedWallMs, pool: pool.key, request, plan },
      this.#context,
    );
    this.#decided = decided;
    if (model !== undefined) observer.started(model);
    const edited =
      body === undefined || plan.edits.length === 0 ? body : applyEdits(body, plan.edits);
    this.#send(asked, decided, edited, hasTrailers);
  }

  #parse(asked: Asked, body: Uint8Array | undefined): ParseResult {
    const { hasher, scanner } = this.#context;
    const { id, path, headers, onlyHosts } = asked;
    const kind = kindOf(enginePath(path));
    const received = {
      id,
      path,
      kind,
      headers,
      onlyHosts,
      body: new ReceivedBody([body ?? NO_BYTES]),
    };
    return body === undefined
      ? requestWithoutBody(received, hasher)
      : parseRequest(received, hasher, scanner);
  }

  #send(
    asked: Asked,
    { plan, decision }: DecidedExchange,
    body: Uint8Array | undefined,
    hasTrailers: boolean,
  ): void {
    const { destination, scoresOf } = this.#context;
    const { key, namespace } = destination;
    const bodyBytes = body?.length;
    const change = requestChange(asked.headers, plan, {
      id: asked.id,
      destinationHeader: key,
      bodyBytes,
    });
    const value = destinationOf(plan);
    const scores = scoresOf?.(decision);
    const head = headersReply("request", change, { namespace, key, value, scores });
    this.#sender.send(head, body, hasTrailers ? trailersReply("request", []) : undefined);
  }

  #answerHeaders(message: Piece<"headers">): void {
    if (this.#answer !== "none") throw misplaced("second response headers");
    this.#answer = "begun";
    const decided = this.#decided;
    if (decided === undefined) {
      // The proxy answers by itself, before the request was whole: there is nothing to decide any more.
      this.#abandonRequest();
      this.#call.send(headersReply("response", { set: new Map(), remove: [] }));
      return;
    }
    this.#call.send(
      headersReply("response", decided.answerHead(message.headers, message.metadata)),
    );
    if (message.isEnd) this.#answered(decided);
  }

  #answerBody({ bytes, isEnd }: Piece<"body">): void {
    if (this.#answer !== "begun") throw misplaced("a response body out of its place");
    this.#decided?.answerBody(bytes);
    if (!this.#sender.echo("response", bytes, isEnd)) this.#call.pause();
    if (isEnd) this.#answered(this.#decided);
  }

  #answerTrailers({ headers }: Piece<"trailers">): void {
    if (this.#answer !== "begun") throw misplaced("response trailers out of their place");
    const remove = this.#decided?.answerTrailers(headers) ?? [];
    this.#call.send(trailersReply("response", remove));
    this.#answered(this.#decided);
  }

  #answered(decided: DecidedExchange | undefined): void {
    this.#answer = "over";
    if (decided === undefined) return;
    this.#settle(decided, decided.status >= 500 ? "engine-error" : "completed");
  }

  #abandonRequest(): void {
    clearTimeout(this.#timer);
    this.#isRequestWhole = true;
    this.#collector?.release();
  }

  /** Has the proxy answer in the engine's place, and ends the call. */
  #reject(rejection: Rejection, param: string | null = null, known: Known = {}): void {
    const asked = this.#asked;
    if (asked === undefined || this.#isOver) return;
    this.#isOver = true;
    this.#abandonRequest();
    const answer = errorAnswer(rejection, param);
    const headers = new Map(Object.entries(answer.headers));
    // Envoy writes its own, and takes a second one for a fault.
    headers.delete("content-length");
    headers.set("x-request-id", asked.id);
    if (known.decisionId !== undefined) headers.set("x-switchyard-decision", known.decisionId);
    const { status, body } = answer;
    this.#call.send(
      immediateReply({ status, headers, body, details: `switchyard_${rejection.reason}` }),
    );
    this.#call.end(GRPC_STATUS.ok);
    this.#context.observer.finished(
      reportOf(this.#context, asked, {
        ...known,
        how: "rejected",
        rejection: rejection.reason,
        status,
        responseBytes: body.length,
      }),
    );
  }

  /** The proxy is done with the call; an exchange that had no end then ends here. */
  #leave(): void {
    if (this.#isOver || this.#asked === undefined) return;
    if (this.#decided !== undefined) {
      this.#settle(this.#decided, "client-left");
      return;
    }
    this.#isOver = true;
    this.#abandonRequest();
    const facts = {
      how: "client-left",
      rejection: undefined,
      status: CLIENT_LEFT_STATUS,
      responseBytes: 0,
    } as const;
    this.#context.observer.finished(reportOf(this.#context, this.#asked, facts));
  }

  #settle(decided: DecidedExchange, how: EndCause): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sender.stop();
    decided.end(how, how === "client-left" ? CLIENT_LEFT_STATUS : decided.status);
  }
}

const NO_BYTES = new Uint8Array();

/** nginx's status for a client that left before its answer was complete; it stands in records only. */
const CLIENT_LEFT_STATUS = 499;

const COMPRESSED = "compressed bodies are not supported: send the body without Content-Encoding";
const TOO_SLOW: Rejection = {
  reason: "request-too-slow",
  message: "the request did not arrive in time",
};
const SATURATED: Rejection = {
  reason: "overloaded",
  message: "the pool is saturated; try again later",
};

function misplaced(what: string): GrpcFault {
  return new GrpcFault(GRPC_STATUS.invalidArgument, `unexpected message: ${what}`);
}

/** What the engine is asked for: a gateway may cut the service's prefix only after it asked here. */
function enginePath(path: string): string {
  const at = barePath(path).indexOf("/v1/");
  return at > 0 ? path.slice(at) : path;
}

function declaredBytes(headers: IncomingHttpHeaders): number | undefined {
  const text = headerText(headers, "content-length");
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

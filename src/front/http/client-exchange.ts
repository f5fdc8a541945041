import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { barePath } from "../../core/bare-path.ts";
import { type ModelName, type RequestId, requestId } from "../../core/brand.ts";
import type { Clock } from "../../core/clock.ts";
import { type ExchangeObserver, NO_USAGE, type Outcome } from "../../core/exchange-report.ts";
import type { EndCause, Rejection, RejectionReason } from "../../core/rejection.ts";
import { type Answer, errorAnswer } from "./error-answer.ts";
import { sendAnswer } from "./send-answer.ts";

/** What is known of the request so far; the report of an answer that the front gives is made from it. */
export interface ExchangeFacts {
  path: string;
  pool: string | undefined;
  model: ModelName | undefined;
  isStreaming: boolean;
  requestBytes: number;
  promptBytes: number;
  decisionId: string | undefined;
}

/** nginx's status for a client that left before it was answered. */
const CLIENT_LEFT_STATUS = 499;

/** One request with the client's side of it, from its headers to its answer or its hand-over. */
export class ClientExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly id: RequestId;
  readonly arrivedAtMs: number;
  readonly arrivedWallMs: number;
  readonly facts: ExchangeFacts;
  /** Whether the client holds its body back until it reads `100 Continue`. */
  isAwaitingContinue: boolean;
  readonly #clock: Clock;
  readonly #observer: ExchangeObserver;
  #isOver = false;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    options: {
      id: RequestId;
      isAwaitingContinue: boolean;
      clock: Clock;
      observer: ExchangeObserver;
    },
  ) {
    this.request = request;
    this.response = response;
    this.id = options.id;
    this.isAwaitingContinue = options.isAwaitingContinue;
    this.#clock = options.clock;
    this.#observer = options.observer;
    this.arrivedAtMs = options.clock.nowMs();
    this.arrivedWallMs = performance.now();
    this.facts = {
      path: barePath(request.url ?? ""),
      pool: undefined,
      model: undefined,
      isStreaming: false,
      requestBytes: 0,
      promptBytes: 0,
      decisionId: undefined,
    };
  }

  /** Lets a waiting client send its body. */
  askForBody(): void {
    if (this.isAwaitingContinue) this.response.writeContinue();
    this.isAwaitingContinue = false;
  }

  /** Gives the whole answer and reports it. */
  answer(answer: Answer): undefined {
    this.#send(answer, "completed", undefined);
  }

  /** Refuses the request and reports it. */
  reject(
    rejection: Rejection,
    options: { param?: string | null; headers?: Readonly<Record<string, string>> } = {},
  ): undefined {
    const answer = errorAnswer(rejection, options.param ?? null);
    const headers = { ...answer.headers, ...options.headers };
    this.#send({ ...answer, headers }, "rejected", rejection.reason);
  }

  /** Reports that the client left before it was answered. */
  left(): void {
    this.#report("client-left", undefined, CLIENT_LEFT_STATUS, 0);
  }

  /** Leaves answer and report to the dispatcher. */
  handOver(): void {
    this.#isOver = true;
  }

  /** Ends an exchange that met a fault of the program. */
  fail(): void {
    const message = "the router failed on this request; its log says why";
    if (this.#isOver) this.response.destroy();
    else this.reject({ reason: "plugin-failed", message });
  }

  #send(answer: Answer, how: EndCause | "rejected", reason: RejectionReason | undefined): void {
    const { request, response } = this;
    if (response.destroyed) {
      this.left();
      return;
    }
    response.setHeader("x-request-id", this.id);
    if (this.facts.decisionId !== undefined) {
      response.setHeader("x-switchyard-decision", this.facts.decisionId);
    }
    sendAnswer(request, response, answer, this.isAwaitingContinue);
    this.#report(how, reason, answer.status, request.method === "HEAD" ? 0 : answer.body.length);
  }

  #report(
    how: EndCause | "rejected",
    rejection: RejectionReason | undefined,
    status: number,
    responseBytes: number,
  ): void {
    this.#isOver = true;
    const outcome: Outcome = {
      status,
      usage: NO_USAGE,
      chunkCount: 0,
      ttftMs: null,
      itlMs: null,
      e2eMs: this.#clock.nowMs() - this.arrivedAtMs,
      wallMs: performance.now() - this.arrivedWallMs,
      retryCount: 0,
      responseBytes,
      pd: undefined,
    };
    this.#observer.finished({
      requestId: this.id,
      ...this.facts,
      how,
      rejection,
      endpoint: undefined,
      prefillEndpoint: undefined,
      outcome,
    });
  }
}

// Random but for its last group, which counts: a random one for each request took 1 % of its CPU time.
const ID_START = randomUUID().slice(0, -12);
let idCount = 0;

function nextId(): string {
  return ID_START + (idCount++).toString(16).padStart(12, "0");
}

const WELL_FORMED_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/** The client's `x-request-id` if it is well formed, else one of ours. */
export function requestIdOf(request: Pick<IncomingMessage, "headers">): RequestId {
  const given = request.headers["x-request-id"];
  const isUsable = typeof given === "string" && WELL_FORMED_ID.test(given);
  return requestId(isUsable ? given : nextId());
}

import { barePath } from "../../core/bare-path.ts";
import type { Clock } from "../../core/clock.ts";
import type { Dispatcher } from "../../dispatch/dispatcher.ts";
import type { BlockHasher } from "../../request/block-hasher.ts";
import type { BodyScanner } from "../../request/body-scanner.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import { kindOf, parseRequest } from "../../request/parse-request.ts";
import type { ReceivedBody } from "../../request/received-body.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { ClientExchange } from "./client-exchange.ts";
import { bodyHeadersFault, collectBody } from "./collect-body.ts";
import type { Connection } from "./connection.ts";
import type { FrontPool } from "./front-pool.ts";
import { modelNotFound } from "./model-not-found.ts";
import { modelAnswer, modelListAnswer } from "./models-answer.ts";
import { findRoute } from "./route.ts";

/** What requests are served with. */
export interface ServeContext {
  readonly pools: readonly FrontPool[];
  readonly dispatcher: Dispatcher;
  readonly hasher: BlockHasher;
  readonly scanner: BodyScanner;
  readonly clock: Clock;
  readonly budget: BodyBudget;
  readonly bodyBytesMax: number;
  /** Read for each request: from some moment on all are refused. */
  isDraining(): boolean;
}

/** Undefined for an exchange that is over: one promise less for each request. */
type Ending = Promise<void> | undefined;

/** Takes one request to its answer or to the dispatcher; what it returns resolves when the exchange is over. */
export function serveExchange(
  exchange: ClientExchange,
  connection: Connection,
  context: ServeContext,
): Ending {
  const { request } = exchange;
  if (context.isDraining()) {
    const message = "the router is shutting down; try another one";
    const headers = { connection: "close" };
    return exchange.reject({ reason: "draining", message }, { headers });
  }
  // RFC 9112 3.2; the server's own check would answer without a body.
  if (request.headers.host === undefined && request.httpVersion === "1.1") {
    return exchange.reject({ reason: "invalid-request", message: "the Host header is missing" });
  }
  const route = findRoute(request.method ?? "", request.url ?? "", context.pools);
  if (route.kind === "refused") {
    const headers = route.allow === undefined ? {} : { allow: route.allow };
    return exchange.reject(route.rejection, { headers });
  }
  exchange.facts.pool = route.pool?.key;
  const pools = route.pool === undefined ? context.pools : [route.pool];
  switch (route.kind) {
    case "models":
      return exchange.answer(modelListAnswer(pools));
    case "model": {
      const answer = modelAnswer(pools, route.id);
      if (answer !== undefined) return exchange.answer(answer);
      return exchange.reject(modelNotFound(route.id, pools), { param: "model" });
    }
    case "inference":
      exchange.facts.path = barePath(route.path);
      return serveInference(exchange, connection, context, { pools, path: route.path });
  }
}

async function serveInference(
  exchange: ClientExchange,
  connection: Connection,
  context: ServeContext,
  { pools, path }: { readonly pools: readonly FrontPool[]; readonly path: string },
): Promise<void> {
  const { request, facts } = exchange;
  const { budget, bodyBytesMax } = context;
  const fault = bodyHeadersFault(request, bodyBytesMax);
  if (fault !== undefined) return exchange.reject(fault);
  const onRoom = (): void => exchange.askForBody();
  const collected = await collectBody(request, { bodyBytesMax, budget, connection, onRoom });
  if (collected.kind === "client-left") return exchange.left();
  if (collected.kind === "rejected") return exchange.reject(collected.rejection);
  const { body } = collected;
  try {
    facts.requestBytes = body.sizeBytes;
    const { id } = exchange;
    const received = { id, path, kind: kindOf(path), headers: request.headers, body };
    const parsed = parseRequest(received, context.hasher, context.scanner);
    if (parsed.kind === "invalid") {
      const rejection = { reason: "invalid-request", message: parsed.message } as const;
      return exchange.reject(rejection, { param: parsed.param });
    }
    const asked = { pools, request: parsed.request, body };
    await decideAndDispatch(exchange, context, asked);
  } finally {
    budget.give(collected.takenBytes);
  }
}

function decideAndDispatch(
  exchange: ClientExchange,
  context: ServeContext,
  asked: {
    readonly pools: readonly FrontPool[];
    readonly request: InferenceRequest;
    readonly body: ReceivedBody;
  },
): Ending {
  const { pools, request, body } = asked;
  const { facts, arrivedAtMs, arrivedWallMs, response } = exchange;
  const { model } = request;
  facts.isStreaming = request.isStreaming;
  facts.promptBytes = request.prompt.sizeBytes;
  const pool = pools.find((known) => known.serves(model));
  if (pool === undefined) {
    return exchange.reject(modelNotFound(model, pools), { param: "model" });
  }
  facts.pool = pool.key;
  const named = pool.isNamed(model) ? model : undefined;
  facts.model = named;
  const admission = pool.core.arrive(request, context.clock.nowMs());
  const { decision } = admission;
  if (decision !== undefined) facts.decisionId = `${pool.key}.${decision}`;
  if (admission.kind === "queued") {
    // Nothing here waits for a later decision, so the queue's end is the request's.
    const message = "the pool is saturated; try again later";
    return exchange.reject({ reason: "overloaded", message });
  }
  if (admission.kind === "rejected") return exchange.reject(admission.rejection);
  exchange.handOver();
  return context.dispatcher.dispatch({
    core: pool.core,
    pool: pool.key,
    model: named,
    request,
    plan: admission.plan,
    decision: admission.decision,
    decisionId: `${pool.key}.${admission.decision}`,
    headers: exchange.request.headers,
    body,
    response,
    arrivedAtMs,
    arrivedWallMs,
  });
}

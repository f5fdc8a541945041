import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { barePath } from "../core/bare-path.ts";
import { type ApiFault, badRequest, sendFault, sendJson } from "./api-fault.ts";
import type { EngineUnit } from "./engine-unit.ts";
import { startGeneration } from "./generation.ts";
import { type GenerationKind, readGeneration } from "./generation-request.ts";
import { type JsonObject, readJsonBody } from "./read-json-body.ts";
import { detokenize, tokenize } from "./tokenize.ts";

/** Release whose HTTP surface is imitated, marked as not being it. */
const VERSION = "0.32.0+switchyard";

type Route = (unit: EngineUnit, request: IncomingMessage, response: ServerResponse) => void;

const ROUTES: ReadonlyMap<string, Readonly<Partial<Record<string, Route>>>> = new Map([
  ["/v1/chat/completions", { POST: generating("chat") }],
  ["/v1/completions", { POST: generating("completion") }],
  [
    "/tokenize",
    { POST: answering((unit, body) => tokenize(body, unit.options.config.maxModelLen)) },
  ],
  ["/detokenize", { POST: answering((_unit, body) => detokenize(body)) }],
  ["/v1/models", { GET: sendModels }],
  ["/health", { GET: sendEmpty }],
  ["/ping", { GET: sendEmpty, POST: sendEmpty }],
  [
    "/version",
    { GET: (_unit, _request, response) => sendJson(response, 200, { version: VERSION }) },
  ],
  ["/metrics", { GET: sendMetrics }],
]);

/** vLLM's HTTP surface over one engine. */
export function engineRoutes(unit: EngineUnit): RequestListener {
  return (request, response) => {
    const path = barePath(request.url ?? "");
    const methods = ROUTES.get(path);
    const route = methods?.[request.method ?? ""];
    if (route !== undefined) {
      route(unit, request, response);
      return;
    }
    request.resume();
    if (methods === undefined) {
      sendFault(response, { status: 404, message: "Not Found", param: null });
      return;
    }
    response.setHeader("allow", Object.keys(methods).join(", "));
    sendFault(response, { status: 405, message: "Method Not Allowed", param: null });
  };
}

function generating(kind: GenerationKind): Route {
  return withBody((unit, body, request, response) => {
    const checked = readGeneration(kind, body);
    const started =
      "status" in checked
        ? checked
        : startGeneration(unit, checked, response, answerIdOf(request.headers["x-request-id"]));
    if ("status" in started) sendFault(response, started);
    else response.once("close", () => started.cancel());
  });
}

/** A body in, an object out. */
function answering(answer: (unit: EngineUnit, body: JsonObject) => object | ApiFault): Route {
  return withBody((unit, body, _request, response) => {
    const answered = answer(unit, body);
    if ("status" in answered) sendFault(response, answered);
    else sendJson(response, 200, answered);
  });
}

/** Reads the body, which is for the model that is served, before the route goes on with it. */
function withBody(
  route: (
    unit: EngineUnit,
    body: JsonObject,
    request: IncomingMessage,
    response: ServerResponse,
  ) => void,
): Route {
  const run = async (...[unit, request, response]: Parameters<Route>): Promise<void> => {
    const body = await readJsonBody(request);
    if (body.kind === "gone" || response.destroyed) return;
    const fault = body.kind === "fault" ? body.fault : modelFault(unit, body.json);
    if (fault !== undefined) sendFault(response, fault);
    else if (body.kind === "body") route(unit, body.json, request, response);
  };
  return (unit, request, response) => {
    run(unit, request, response).catch((error: unknown) => {
      unit.options.log.error("request-failed", { message: String(error) });
      if (response.headersSent) response.destroy();
      else sendFault(response, { status: 500, message: "Internal Server Error", param: null });
    });
  };
}

function modelFault(unit: EngineUnit, body: JsonObject): ApiFault | undefined {
  const { model } = body;
  // vLLM serves its only model to a body that names none.
  if (model === undefined || model === null || model === unit.options.modelName) return undefined;
  if (typeof model !== "string") return badRequest("model must be a string", "model");
  return { status: 404, message: `The model \`${model}\` does not exist.`, param: "model" };
}

/** The client's request id where it is well formed, as vLLM puts it into the answer's id. */
function answerIdOf(header: string | string[] | undefined): string {
  return typeof header === "string" && /^[\w.:-]{1,128}$/.test(header) ? header : randomUUID();
}

function sendEmpty(_unit: EngineUnit, request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  response.writeHead(200, { "content-length": 0 }).end();
}

function sendModels(unit: EngineUnit, _request: IncomingMessage, response: ServerResponse): void {
  const { modelName, config } = unit.options;
  const model = {
    id: modelName,
    object: "model",
    created: unit.createdAt,
    owned_by: "vllm",
    root: modelName,
    parent: null,
    max_model_len: config.maxModelLen,
    permission: [],
  };
  sendJson(response, 200, { object: "list", data: [model] });
}

function sendMetrics(unit: EngineUnit, _request: IncomingMessage, response: ServerResponse): void {
  const text = unit.metrics.text(unit.driver.gauges());
  response.writeHead(200, {
    "content-type": "text/plain; version=0.0.4; charset=utf-8",
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}

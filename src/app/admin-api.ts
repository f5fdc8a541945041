import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Json } from "../core/json.ts";
import type { Decision } from "../scheduling/decision.ts";
import type { EventStream } from "./event-stream.ts";

/** Starts and kills simulated engines; only `up` has one. */
export interface EngineControl {
  /** Rejects with a message for the caller when the engine is not known. */
  kill(endpoint: string): Promise<void>;
  start(endpoint: string): Promise<void>;
}

/** What the admin API shows. */
export interface AdminSource {
  readiness(): { readonly isReady: boolean; readonly pools: Json };
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  endpoints(): Json;
  config(): Promise<Json>;
  /** Newest first. */
  decisions(limit: number): Promise<readonly Decision[]>;
  decision(id: string): Promise<Decision | undefined>;
  readonly events: EventStream;
  readonly engines: EngineControl | undefined;
}

/** A listening admin API. */
export interface AdminApi {
  readonly port: number;
  close(): Promise<void>;
}

const DECISIONS_UNLESS_SET = 50;
const DECISIONS_MAX = 4096;
const PATHS =
  "/healthz, /readyz, /metrics, /api/endpoints, /api/config, /api/decisions, " +
  "/api/decisions/{id}, /api/events";

interface Answer {
  readonly status: number;
  readonly body: Json | Decision | readonly Decision[];
}

/** Serves the admin API; rejects when the address cannot be had. */
export async function startAdminApi(
  source: AdminSource,
  listen: { host: string; port: number },
): Promise<AdminApi> {
  const server = createServer((request, response) => {
    answer(source, request, response).catch((error: unknown) => {
      if (!response.headersSent) send(response, failure(500, messageOf(error)));
      else response.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(listen.port, listen.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(source, server) };
}

async function answer(
  source: AdminSource,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // Only path and query are read, so any base makes the URL absolute.
  const url = new URL(request.url ?? "/", "http://admin");
  if (request.method === "POST") {
    send(response, await control(source, url.pathname, request));
  } else if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD, POST");
    send(response, failure(405, "the admin API answers GET, and POST for engines"));
  } else if (url.pathname === "/metrics") {
    const { contentType, text } = await source.metrics();
    response.writeHead(200, { "content-type": contentType }).end(text);
  } else if (url.pathname === "/api/events") {
    if (!source.events.add(response)) send(response, failure(503, "too many readers"));
  } else {
    send(response, await show(source, url));
  }
}

async function show(source: AdminSource, url: URL): Promise<Answer> {
  switch (url.pathname) {
    case "/healthz":
      return { status: 200, body: { status: "ok" } };
    case "/readyz": {
      const { isReady, pools } = source.readiness();
      return { status: isReady ? 200 : 503, body: { isReady, pools } };
    }
    case "/api/endpoints":
      return { status: 200, body: source.endpoints() };
    case "/api/config":
      return { status: 200, body: await source.config() };
    case "/api/decisions":
      return await showDecisions(source, url.searchParams.get("limit"));
    default:
      return await showDecision(source, url.pathname);
  }
}

async function showDecisions(source: AdminSource, given: string | null): Promise<Answer> {
  const limit = given === null ? DECISIONS_UNLESS_SET : Number(given);
  if (!Number.isInteger(limit) || limit < 1 || limit > DECISIONS_MAX) {
    return failure(400, `limit must be a whole number, 1 to ${DECISIONS_MAX}`);
  }
  return { status: 200, body: await source.decisions(limit) };
}

async function showDecision(source: AdminSource, path: string): Promise<Answer> {
  const id = /^\/api\/decisions\/([^/]{1,300})$/.exec(path)?.[1];
  if (id === undefined) return failure(404, `unknown path; there are ${PATHS}`);
  const decision = await source.decision(decoded(id));
  if (decision !== undefined) return { status: 200, body: decision };
  return failure(404, "no such decision; the latest are under /api/decisions");
}

async function control(
  source: AdminSource,
  path: string,
  request: IncomingMessage,
): Promise<Answer> {
  const [, name, action] = /^\/api\/endpoints\/([^/]{1,300})\/(kill|start)$/.exec(path) ?? [];
  if (name === undefined || action === undefined || source.engines === undefined) {
    return failure(404, "POST is for /api/endpoints/{name}/kill and /start of `up`");
  }
  // A page in the operator's browser could post here; browsers always say where a POST comes from.
  if (request.headers.origin !== undefined) {
    return failure(403, "requests from web pages may not control engines");
  }
  try {
    const endpoint = decoded(name);
    await (action === "kill" ? source.engines.kill(endpoint) : source.engines.start(endpoint));
    return { status: 200, body: { endpoint, done: action } };
  } catch (error) {
    return failure(404, messageOf(error));
  }
}

function failure(status: number, error: string): Answer {
  return { status, body: { error } };
}

function send(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(`${JSON.stringify(body)}\n`);
}

/** A segment that is not well encoded names nothing, so it is looked up as it stands. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function closeServer(source: AdminSource, server: Server): Promise<void> {
  source.events.close();
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}

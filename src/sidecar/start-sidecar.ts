import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { PassThrough } from "node:stream";
import type { Clock } from "../core/clock.ts";
import { invariant } from "../core/invariant.ts";
import type { Log } from "../core/log.ts";
import { wallLimitMs } from "../dispatch/deadline.ts";
import { forwardedHeaders, headerText } from "../dispatch/headers.ts";
import { Upstream } from "../dispatch/upstream.ts";
import { relayEngine } from "./engine-relay.ts";
import { parseHostPorts } from "./host-ports.ts";
import { BodyReader } from "./read-body.ts";
import { refuse } from "./refuse.ts";
import { type PrefillFallback, serveTwoLegs, type TwoLegsContext } from "./two-legs.ts";

const SPLIT_PATHS = ["/v1/chat/completions", "/v1/completions"];
const PREFILL_HEADER = "x-prefiller-host-port";
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const MAX_TOTAL_BODY_BYTES = 1024 * 1024 * 1024;
const MAX_CONNECTIONS = 4096;
// llm-d's sidecar keeps as many connections a host; ours queues what comes beyond.
const CONNECTIONS_PER_ENGINE = 2048;
const CONNECT_TIMEOUT_MS = 10_000;
const PREFILL_TIMEOUT_MS = 30_000;

/** How a decode-side proxy is run. */
export interface SidecarOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** The decode engine, such as `http://127.0.0.1:8200`. */
  readonly engineUrl: string;
  /** How the two engines hand over blocks. */
  readonly connector: "nixlv2";
  readonly prefillFallback: PrefillFallback;
  /** Engine milliseconds that one prefill endpoint gets; 30 s unless set. */
  readonly prefillTimeoutMs?: number;
  /** Which `host:port` may be asked for prefill; without it every one may. */
  readonly isPrefillAllowed?: ((hostPort: string) => boolean) | undefined;
  readonly clock: Clock;
  /** Engine seconds per wall second. */
  readonly timeScale: number;
  readonly log: Log;
}

/** A running decode-side proxy. */
export interface Sidecar {
  /** `host:port` that it listens on. */
  readonly address: string;
  /** Cuts everything under way. */
  close(): Promise<void>;
  /** Takes no new connection and waits for what is under way. */
  drain(): Promise<void>;
}

/** Starts the proxy; it listens when the promise resolves. */
export async function startSidecar(options: SidecarOptions): Promise<Sidecar> {
  const engine = new URL(options.engineUrl);
  invariant(engine.protocol === "http:", "the engine is reached by http");
  const upstream = new Upstream({
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    connectionsPerEndpoint: CONNECTIONS_PER_ENGINE,
  });
  const { clock, log, timeScale, prefillFallback } = options;
  const timeoutMs = options.prefillTimeoutMs ?? PREFILL_TIMEOUT_MS;
  const routes = new Routes(options, {
    upstream,
    clock,
    log,
    engineAddress: engine.port === "" ? `${engine.hostname}:80` : engine.host,
    prefillFallback,
    prefillTimeoutMs: wallLimitMs(timeoutMs, timeScale),
  });

  let isDraining = false;
  const server = createServer((request, response) => {
    if (isDraining) response.setHeader("connection", "close");
    routes.serve(request, response).catch((error: unknown) => {
      log.error("sidecar-failed", { message: String(error) });
      request.socket.destroy();
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.listen(options.port, options.host);
  await once(server, "listening");
  return {
    address: addressOf(server),
    async drain() {
      isDraining = true;
      await closed(server);
      await upstream.close();
    },
    async close() {
      const isClosed = closed(server);
      server.closeAllConnections();
      await Promise.all([isClosed, upstream.close()]);
    },
  };
}

class Routes {
  readonly #options: SidecarOptions;
  readonly #context: TwoLegsContext;
  readonly #bodies = new BodyReader({
    maxBodyBytes: MAX_BODY_BYTES,
    maxTotalBytes: MAX_TOTAL_BODY_BYTES,
  });

  constructor(options: SidecarOptions, context: TwoLegsContext) {
    this.#options = options;
    this.#context = context;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const header = headerText(request.headers, PREFILL_HEADER) ?? "";
    const path = request.url?.split("?", 1)[0] ?? "";
    const isSplit = request.method === "POST" && SPLIT_PATHS.includes(path);
    const endpoints = isSplit ? parseHostPorts(header) : [];
    if (endpoints === undefined) {
      const message = `${PREFILL_HEADER} must be a list of at most 16 host:port`;
      return refuse(response, 400, "invalid_request_error", message);
    }
    if (endpoints.length === 0) return this.#passOn(request, response);
    const { isPrefillAllowed = () => true } = this.#options;
    const allowed = endpoints.filter((endpoint) => isPrefillAllowed(endpoint));
    if (allowed.length === 0) {
      return refuse(response, 403, "invalid_request_error", "prefill endpoint is not allowed");
    }
    return this.#split(request, response, allowed);
  }

  async #split(
    request: IncomingMessage,
    response: ServerResponse,
    endpoints: readonly string[],
  ): Promise<void> {
    const read = await this.#bodies.read(request);
    switch (read.kind) {
      case "gone":
        return;
      case "too-large":
        response.setHeader("connection", "close");
        return refuse(response, 413, "invalid_request_error", "the body exceeds 64 MiB");
      case "overloaded":
        response.setHeader("connection", "close");
        return refuse(response, 503, "overloaded", "too many bytes are buffered");
      case "body":
        break;
    }
    const requestId = headerText(request.headers, "x-request-id") ?? randomUUID();
    const { bytes: body } = read;
    try {
      await serveTwoLegs({ request, response, requestId, body, endpoints }, this.#context);
    } finally {
      read.release();
    }
  }

  /**
   * Everything else goes to the own engine as it comes, `/health` too: a dead engine looks dead.
   */
  async #passOn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { upstream, log, engineAddress } = this.#context;
    const { method = "GET", url = "/", headers: received } = request;
    const length = received["content-length"];
    const hasBody = received["transfer-encoding"] !== undefined || Number(length ?? 0) > 0;
    // The upstream client destroys a body that it did not need whole; the server is still to read the
    // client's request to its end.
    const body = hasBody ? request.pipe(new PassThrough()) : undefined;
    const changes = new Map(hasBody && length !== undefined ? [["content-length", length]] : []);
    const headers = forwardedHeaders(received, changes);
    const passed = { address: engineAddress, method, path: url, headers, body };
    await relayEngine({ upstream, log, response, request: passed, pd: undefined });
    body?.destroy();
  }
}

/**
 * Idle connections are closed as they fall idle, so that waiting for the server means waiting for
 * work.
 */
async function closed(server: Server): Promise<void> {
  const isClosed = once(server, "close");
  server.close();
  const sweep = setInterval(() => server.closeIdleConnections(), 100);
  await isClosed;
  clearInterval(sweep);
}

function addressOf(server: Server): string {
  const address = server.address();
  invariant(typeof address === "object" && address !== null, "a listening server has an address");
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return `${host}:${address.port}`;
}

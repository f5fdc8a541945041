import { randomInt, randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { PassThrough } from "node:stream";
import { barePath } from "../core/bare-path.ts";
import type { Log } from "../core/log.ts";
import { forwardedHeaders, headerText } from "../dispatch/headers.ts";
import { type LegsContext, TwoLegs } from "../dispatch/legs/two-legs.ts";
import type { UpstreamTls } from "../dispatch/upstream.ts";
import { SPLIT_PATHS } from "./connectors/one-token.ts";
import { relayEngine } from "./engine-relay.ts";
import { parseHostPorts } from "./host-ports.ts";
import { BodyReader } from "./read-body.ts";
import { refuse } from "./refuse.ts";
import { NO_SIDECAR_OBSERVER, type SidecarObserver } from "./sidecar-observer.ts";

const PREFILL_HEADER = "x-prefiller-host-port";
const RANK_HEADER = "x-data-parallel-host-port";
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const MAX_TOTAL_BODY_BYTES = 1024 * 1024 * 1024;

/** One rank of the engine behind a sidecar. */
export interface Rank {
  /** `host:port`. */
  readonly engineAddress: string;
}

/** What requests are served with. */
export interface SidecarRoutesOptions {
  readonly engine: { readonly tls?: UpstreamTls | undefined };
  readonly isSampling?: boolean;
  readonly isPrefillAllowed?: ((hostPort: string) => boolean) | undefined;
  readonly log: Log;
  readonly observer?: SidecarObserver;
}

/** Where the requests of a sidecar go. */
export class SidecarRoutes {
  readonly #options: SidecarRoutesOptions;
  readonly #context: LegsContext;
  readonly #observer: SidecarObserver;
  readonly #ranksByPort = new Map<number, Rank>();
  readonly #bodies = new BodyReader({
    maxBodyBytes: MAX_BODY_BYTES,
    maxTotalBytes: MAX_TOTAL_BODY_BYTES,
  });

  constructor(options: SidecarRoutesOptions, context: LegsContext) {
    this.#options = options;
    this.#context = context;
    this.#observer = options.observer ?? NO_SIDECAR_OBSERVER;
  }

  /** A rank is reached by this port, of whichever host. */
  add(port: number, rank: Rank): void {
    this.#ranksByPort.set(port, rank);
  }

  /** Serves a request that came by the listener of `rank`. */
  async serve(request: IncomingMessage, response: ServerResponse, own: Rank): Promise<void> {
    const rank = this.#rankOf(headerText(request.headers, RANK_HEADER), own);
    if (rank === undefined) {
      const message = `${RANK_HEADER} must be host:port of one of this sidecar's listeners`;
      return refuse(response, 400, "invalid_request_error", message);
    }
    const header = headerText(request.headers, PREFILL_HEADER) ?? "";
    const path = barePath(request.url ?? "");
    const isSplit = request.method === "POST" && SPLIT_PATHS.includes(path);
    const endpoints = isSplit ? parseHostPorts(header) : [];
    if (endpoints === undefined) {
      const message = `${PREFILL_HEADER} must be a list of at most 16 host:port`;
      return refuse(response, 400, "invalid_request_error", message);
    }
    if (endpoints.length === 0) return this.#passOn(request, response, rank);
    const allowed = this.#allowed(endpoints);
    if (allowed.length === 0) {
      this.#observer.denied();
      // llm-d's words.
      const message = "Forbidden: prefill target not allowed by SSRF protection";
      return refuse(response, 403, "invalid_request_error", message);
    }
    return this.#split(request, response, { rank, endpoints: this.#ordered(allowed) });
  }

  #rankOf(header: string | undefined, own: Rank): Rank | undefined {
    if (header === undefined || header === "") return own;
    const [hostPort, ...others] = parseHostPorts(header) ?? [];
    if (hostPort === undefined || others.length > 0) return undefined;
    return this.#ranksByPort.get(Number(hostPort.slice(hostPort.lastIndexOf(":") + 1)));
  }

  #allowed(endpoints: readonly string[]): readonly string[] {
    const { isPrefillAllowed = () => true, log } = this.#options;
    return endpoints.filter((endpoint) => {
      const isAllowed = isPrefillAllowed(endpoint);
      if (!isAllowed) log.warn("prefill-denied", { endpoint });
      return isAllowed;
    });
  }

  /** As named, or begun at a place that is drawn. */
  #ordered(endpoints: readonly string[]): readonly string[] {
    if (this.#options.isSampling !== true || endpoints.length < 2) return endpoints;
    const first = randomInt(endpoints.length);
    return [...endpoints.slice(first), ...endpoints.slice(0, first)];
  }

  async #split(
    request: IncomingMessage,
    response: ServerResponse,
    plan: { readonly rank: Rank; readonly endpoints: readonly string[] },
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
    try {
      await this.#runLegs(request, response, { ...plan, body: read.bytes });
    } finally {
      read.release();
    }
  }

  async #runLegs(
    request: IncomingMessage,
    response: ServerResponse,
    plan: { readonly rank: Rank; readonly endpoints: readonly string[]; readonly body: Uint8Array },
  ): Promise<void> {
    const { log, engine } = this.#options;
    const requestId = headerText(request.headers, "x-request-id") ?? randomUUID();
    const headers = forwardedHeaders(
      request.headers,
      new Map([
        ["x-request-id", requestId],
        // The answers are read and rewritten, so nobody may compress them.
        ["accept-encoding", "identity"],
      ]),
    );
    const legs = TwoLegs.open(
      {
        path: request.url ?? "/",
        body: plan.body,
        headers,
        prefill: plan.endpoints,
        passedOver: (endpoint, fault) => {
          log.warn("prefill-failed", { endpoint, fault });
          this.#observer.prefillFailed(fault);
        },
      },
      this.#context,
    );
    if (legs === undefined) {
      return refuse(response, 400, "invalid_request_error", "the body is not a JSON object");
    }
    const target = { address: plan.rank.engineAddress, headers, tls: engine.tls };
    await relayEngine({ log, response, legs, send: (sink) => legs.send(target, sink) });
    this.#observer.splitEnded(legs.outcome);
  }

  /**
   * Everything else goes to the own engine as it comes, `/health` too: a dead engine looks dead.
   */
  async #passOn(request: IncomingMessage, response: ServerResponse, rank: Rank): Promise<void> {
    const { log, engine } = this.#options;
    const { method = "GET", url = "/", headers: received } = request;
    const length = received["content-length"];
    const hasBody = received["transfer-encoding"] !== undefined || Number(length ?? 0) > 0;
    // The upstream client destroys a body that it did not need whole; the server is still to read the
    // client's request to its end.
    const body = hasBody ? request.pipe(new PassThrough()) : undefined;
    const changes = new Map(hasBody && length !== undefined ? [["content-length", length]] : []);
    const headers = forwardedHeaders(received, changes);
    const passed = {
      address: rank.engineAddress,
      method,
      path: url,
      headers,
      body,
      tls: engine.tls,
    };
    const { upstream } = this.#context;
    const send = upstream.send.bind(upstream, passed);
    await relayEngine({ log, response, legs: undefined, send });
    body?.destroy();
    this.#observer.passedOn();
  }
}

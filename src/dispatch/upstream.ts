import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import { Pool, type Dispatcher as UndiciDispatcher } from "undici";
import type { RouterError } from "../core/router-error.ts";
import { type CallProgress, upstreamFault } from "./upstream-fault.ts";

// uvicorn closes an idle connection after 5 s; ours goes first, so that no request meets the
// closing.
const KEEP_ALIVE_MS = 4000;
// Endpoints leave by `forget`; a sidecar learns addresses from headers, and the oldest pool makes
// room.
const MAX_ADDRESSES = 1024;

/** Bounds of the connections to one address. */
export interface UpstreamOptions {
  /** Wall milliseconds. */
  readonly connectTimeoutMs: number;
  /** Requests beyond it wait here, first come first served. */
  readonly connectionsPerEndpoint: number;
}

/** How an endpoint that speaks TLS is reached. */
export interface UpstreamTls {
  /** Whether its certificate must be one that this machine trusts. */
  readonly isVerifying: boolean;
}

/** One request for an engine. */
export interface UpstreamRequest {
  /** `host:port`. */
  readonly address: string;
  readonly method: string;
  readonly path: string;
  /** Name, value, name, value …; host and length are not among them. */
  readonly headers: string[];
  readonly body: Uint8Array | Readable | undefined;
  /** Plain HTTP without it. */
  readonly tls?: UpstreamTls | undefined;
}

/** Status and headers of an answer. */
export interface ResponseHead {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: IncomingHttpHeaders;
  /** Name, value, name, value … as received. */
  readonly rawHeaders: readonly string[];
}

/**
 * Where an answer goes: `head`, any `data`, then `end` or `failed` once. Nothing comes after
 * `abort`.
 */
export interface UpstreamSink {
  head(head: ResponseHead): void;
  /** The chunk may be kept. */
  data(chunk: Buffer): void;
  end(trailers: IncomingHttpHeaders): void;
  /** Never called before `send` returned. */
  failed(fault: RouterError): void;
}

/** A request under way. */
export interface UpstreamCall {
  pause(): void;
  resume(): void;
  /** Closes its connection at once. Without effect on a call that has ended. */
  abort(): void;
}

interface Lane {
  readonly pool: Pool;
  activeCount: number;
  isStarting: boolean;
  readonly waiting: Set<Call>;
}

/**
 * Connections to engines, one bounded pool an address; router and sidecar send all their requests
 * here.
 */
export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #lanes = new Map<string, Lane>();
  /** Pools of forgotten addresses whose requests still run. */
  readonly #closing = new Set<Pool>();

  constructor(options: UpstreamOptions) {
    this.#options = options;
  }

  send(request: UpstreamRequest, sink: UpstreamSink): UpstreamCall {
    const lane = this.#laneOf(request);
    const call = new Call(request, sink, (wasActive) => this.#leave(lane, call, wasActive));
    lane.waiting.add(call);
    this.#startWaiting(lane);
    return call;
  }

  /** Closes the pools of an address once their requests have ended. */
  forget(address: string): void {
    for (const tls of [undefined, { isVerifying: true }, { isVerifying: false }]) {
      this.#forgetLane(laneKey({ address, tls }));
    }
  }

  /** Closes all connections; requests under way fail. */
  async close(): Promise<void> {
    const pools = [...this.#closing, ...[...this.#lanes.values()].map((lane) => lane.pool)];
    this.#lanes.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  #forgetLane(key: string): void {
    const pool = this.#lanes.get(key)?.pool;
    if (pool === undefined) return;
    this.#lanes.delete(key);
    this.#closing.add(pool);
    pool.close(() => this.#closing.delete(pool));
  }

  #laneOf(request: UpstreamRequest): Lane {
    const { address, tls } = request;
    const key = laneKey(request);
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    const oldest = this.#lanes.size < MAX_ADDRESSES ? undefined : this.#lanes.keys().next().value;
    if (oldest !== undefined) this.#forgetLane(oldest);
    const pool = new Pool(`${tls === undefined ? "http" : "https"}://${address}`, {
      allowH2: false,
      pipelining: 1,
      connections: this.#options.connectionsPerEndpoint,
      connectTimeout: this.#options.connectTimeoutMs,
      ...(tls === undefined ? {} : { connect: { rejectUnauthorized: tls.isVerifying } }),
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      // Deadlines are the exchange's: the client's defaults of 300 s cut long prefills.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    const lane = { pool, activeCount: 0, isStarting: false, waiting: new Set<Call>() };
    this.#lanes.set(key, lane);
    return lane;
  }

  /**
   * A request waits here rather than in the pool: the pool would keep the body of one that was
   * aborted.
   */
  #startWaiting(lane: Lane): void {
    // A call that fails within `start` leaves at once and comes by here again; this loop goes on
    // for it.
    if (lane.isStarting) return;
    lane.isStarting = true;
    for (const call of lane.waiting) {
      if (lane.activeCount >= this.#options.connectionsPerEndpoint) break;
      lane.waiting.delete(call);
      lane.activeCount++;
      call.start(lane.pool);
    }
    lane.isStarting = false;
  }

  #leave(lane: Lane, call: Call, wasActive: boolean): void {
    lane.waiting.delete(call);
    if (wasActive) lane.activeCount--;
    this.#startWaiting(lane);
  }
}

/** Connections of one kind to one address. */
function laneKey({ address, tls }: Pick<UpstreamRequest, "address" | "tls">): string {
  if (tls === undefined) return address;
  return tls.isVerifying ? `${address} verified` : `${address} unverified`;
}

class Call implements UpstreamCall, UndiciDispatcher.DispatchHandler {
  readonly #request: UpstreamRequest;
  readonly #sink: UpstreamSink;
  readonly #leave: (wasActive: boolean) => void;
  #controller: UndiciDispatcher.DispatchController | undefined;
  #progress: CallProgress = "unsent";
  #isStarted = false;
  #isOver = false;
  #isAborted = false;

  constructor(request: UpstreamRequest, sink: UpstreamSink, leave: (wasActive: boolean) => void) {
    this.#request = request;
    this.#sink = sink;
    this.#leave = leave;
  }

  start(pool: Pool): void {
    this.#isStarted = true;
    const { method, path, headers, body = null } = this.#request;
    pool.dispatch({ method, path, headers, body }, this);
  }

  pause(): void {
    this.#controller?.pause();
  }

  resume(): void {
    if (!this.#isOver) this.#controller?.resume();
  }

  abort(): void {
    this.#isAborted = true;
    if (this.#isOver) return;
    this.#isOver = true;
    if (!this.#isStarted) this.#leave(false);
    // Without a controller the request waits for its connection; `onRequestStart` stops it there.
    this.#controller?.abort(new Error("aborted"));
  }

  onRequestStart(controller: UndiciDispatcher.DispatchController): void {
    this.#controller = controller;
    this.#progress = "sent";
    if (this.#isOver) controller.abort(new Error("aborted"));
  }

  onResponseStarted(): void {
    this.#progress = "answering";
  }

  onResponseStart(
    controller: UndiciDispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (this.#isOver || status < 200) return;
    const raw = controller.rawHeaders;
    const rawHeaders = Array.isArray(raw)
      ? raw.map((text) => (typeof text === "string" ? text : text.toString("latin1")))
      : [];
    this.#sink.head({ status, headers, rawHeaders });
  }

  onResponseData(_controller: UndiciDispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#isOver) this.#sink.data(chunk);
  }

  onResponseEnd(
    _controller: UndiciDispatcher.DispatchController,
    trailers: IncomingHttpHeaders,
  ): void {
    this.#leave(true);
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink.end(trailers);
  }

  onResponseError(_controller: UndiciDispatcher.DispatchController, error: Error): void {
    this.#leave(true);
    if (this.#isOver) return;
    this.#isOver = true;
    const fault = upstreamFault(error, this.#progress);
    // A request that cannot even be written fails within `send`, whose caller has no call to speak
    // of yet.
    queueMicrotask(() => {
      if (!this.#isAborted) this.#sink.failed(fault);
    });
  }
}

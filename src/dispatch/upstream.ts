import type { IncomingHttpHeaders } from "node:http";
import { performance } from "node:perf_hooks";
import type { Readable } from "node:stream";
import type { RouterError } from "../core/router-error.ts";
import { Lane } from "./lane.ts";
import { isChunked, requestHead } from "./request-head.ts";
import { RefusedCall, UpstreamExchange } from "./upstream-exchange.ts";
import { requestFault, routerFault } from "./upstream-fault.ts";

// Endpoints leave by `forget`; a sidecar learns addresses from headers, and the oldest makes room.
const MAX_LANES = 1024;
// Longest read of an engine's bytes; a socket's buffer seldom holds more.
const READ_BYTES = 64 * 1024;
const SWEEP_MS = 500;

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
  /** Plain HTTP without it. Connections with different settings do not mix. */
  readonly tls?: UpstreamTls | undefined;
  readonly method: string;
  readonly path: string;
  /** Name, value, name, value …; host is not among them, length only with a body that comes. */
  readonly headers: string[];
  /** In pieces where it is here. */
  readonly body: readonly Uint8Array[] | Readable | undefined;
}

/** Status and headers of an answer. */
export interface ResponseHead {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: IncomingHttpHeaders;
  /** Name, value, name, value … as received. */
  readonly rawHeaders: readonly string[];
  /** Whether the body comes in chunks and the sink is told of them by `framed`. */
  readonly isChunked: boolean;
}

/**
 * Where an answer goes: `head`, any `data`, then `end` or `failed` once. Nothing comes after
 * `abort`.
 */
export interface UpstreamSink {
  head(head: ResponseHead): void;
  /** The chunk may be kept. */
  data(chunk: Buffer): void;
  /**
   * After the `data` of one read of a chunked body: the same bytes with the engine's framing, which
   * may be relayed in their place. The last chunk, of no bytes, is not among them; `isLast` says
   * that `end` follows at once.
   */
  framed?(bytes: Buffer, isLast: boolean): void;
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

/** Connections to engines; router and sidecar send all their requests here. */
export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly #lanes = new Map<string, Lane>();
  /** Lanes of forgotten addresses whose requests still run. */
  readonly #closing = new Set<Lane>();
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: UpstreamOptions) {
    this.#options = options;
  }

  send(request: UpstreamRequest, sink: UpstreamSink): UpstreamCall {
    let head: string;
    try {
      head = requestHead(request);
    } catch (error) {
      return new RefusedCall(sink, requestFault(error));
    }
    const { method, body } = request;
    const lane = this.#laneOf(request);
    const outgoing = { head, body, isBodyChunked: isChunked(request) };
    const exchange = new UpstreamExchange(method, outgoing, sink, lane);
    lane.board(exchange);
    return exchange;
  }

  /** Closes the connections of an address once its requests have ended. */
  forget(address: string): void {
    for (const [key, lane] of this.#lanes) if (lane.address === address) this.#retire(key, lane);
  }

  /** Closes all connections; requests under way fail. */
  close(): Promise<void> {
    clearInterval(this.#sweep);
    this.#sweep = undefined;
    const lanes = [...this.#closing, ...this.#lanes.values()];
    this.#lanes.clear();
    this.#closing.clear();
    for (const lane of lanes) lane.cut(routerFault("the router closes its connections"));
    return Promise.resolve();
  }

  #laneOf({ address, tls }: UpstreamRequest): Lane {
    const key = tls === undefined ? address : `${tls.isVerifying ? "tls" : "tls?"} ${address}`;
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    const oldest = this.#lanes.size < MAX_LANES ? undefined : this.#lanes.entries().next().value;
    if (oldest !== undefined) this.#retire(...oldest);
    const { connectTimeoutMs, connectionsPerEndpoint } = this.#options;
    const connection = { address, tls, connectTimeoutMs, readBuffer: this.#readBuffer };
    const lane = new Lane(connection, connectionsPerEndpoint, () => this.#closing.delete(lane));
    this.#lanes.set(key, lane);
    this.#sweep ??= setInterval(() => this.#closeIdle(), SWEEP_MS).unref();
    return lane;
  }

  #retire(key: string, lane: Lane): void {
    this.#lanes.delete(key);
    this.#closing.add(lane);
    lane.retire();
  }

  #closeIdle(): void {
    const nowMs = performance.now();
    for (const lane of this.#lanes.values()) lane.closeIdle(nowMs);
  }
}

import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { Clock } from "../core/clock.ts";
import { invariant } from "../core/invariant.ts";
import type { Log } from "../core/log.ts";
import { wallLimitMs } from "../dispatch/deadline.ts";
import type { LegsSettings } from "../dispatch/legs/legs-settings.ts";
import { Upstream, type UpstreamTls } from "../dispatch/upstream.ts";
import type { SidecarObserver } from "./sidecar-observer.ts";
import { type Rank, SidecarRoutes } from "./sidecar-routes.ts";

const MAX_CONNECTIONS = 4096;
const CONNECT_TIMEOUT_MS = 10_000;
// llm-d's sidecar keeps as many a host; ours queues what comes beyond.
const CONNECTIONS_PER_ENGINE = 2048;

/** A server's certificate and key, PEM. */
export interface SidecarIdentity {
  readonly cert: string;
  readonly key: string;
}

/** How a decode-side proxy is run. */
export interface SidecarOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly engine: {
    readonly host: string;
    readonly port: number;
    readonly tls?: UpstreamTls | undefined;
  };
  /** Ranks of the engine: each has a listener of its own, at the next port, and a port of the engine. */
  readonly rankCount?: number;
  readonly legs: LegsSettings;
  /** Asks the prefill endpoints that a request names in an order that is drawn, not in theirs. */
  readonly isSampling?: boolean;
  /** Which `host:port` may be asked for prefill, asked anew for each request; without it every one may. */
  readonly isPrefillAllowed?: ((hostPort: string) => boolean) | undefined;
  /** Plain HTTP without it. */
  readonly tls?:
    | (SidecarIdentity & {
        readonly minVersion: "TLSv1.2" | "TLSv1.3";
        /** In OpenSSL's words; its own list without. */
        readonly ciphers?: string | undefined;
      })
    | undefined;
  readonly clock: Clock;
  /** Engine seconds per wall second. */
  readonly timeScale: number;
  readonly log: Log;
  readonly observer?: SidecarObserver;
}

/** A running decode-side proxy. */
export interface Sidecar {
  /** `host:port` of the first rank. */
  readonly address: string;
  /** Ports of all ranks in their order. */
  readonly ports: readonly number[];
  /** Takes up another certificate for connections to come. */
  useTls(identity: SidecarIdentity): void;
  /** Cuts everything under way. */
  close(): Promise<void>;
  /** Takes no new connection and waits for what is under way. */
  drain(): Promise<void>;
}

/** Starts the proxy; it listens when the promise resolves, and nothing does when it rejects. */
export async function startSidecar(options: SidecarOptions): Promise<Sidecar> {
  const { clock, timeScale, legs: settings, engine, host } = options;
  const upstream = new Upstream({
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    connectionsPerEndpoint: CONNECTIONS_PER_ENGINE,
  });
  const prefillTimeoutWallMs = wallLimitMs(settings.prefillTimeoutMs, timeScale);
  const routes = new SidecarRoutes(options, { upstream, clock, prefillTimeoutWallMs, settings });
  const servers: Listener[] = [];
  let isDraining = false;
  const close = async (): Promise<void> => {
    const areClosed = servers.map((server) => closed(server));
    for (const server of servers) server.closeAllConnections();
    await Promise.all([...areClosed, upstream.close()]);
  };
  try {
    for (let index = 0; index < (options.rankCount ?? 1); index++) {
      const rank = { engineAddress: `${engine.host}:${engine.port + index}` };
      const server = listener(options, routes, rank, () => isDraining);
      server.listen(options.port === 0 ? 0 : options.port + index, host);
      await once(server, "listening");
      servers.push(server);
      routes.add(portOf(server), rank);
    }
  } catch (error) {
    await close();
    throw error;
  }
  const [first] = servers;
  invariant(first !== undefined, "a sidecar has at least one rank");
  return {
    address: addressOf(first),
    ports: servers.map(portOf),
    useTls(identity) {
      for (const server of servers) {
        // The version and the suites belong to the context too.
        if ("setSecureContext" in server) server.setSecureContext({ ...options.tls, ...identity });
      }
    },
    async drain() {
      isDraining = true;
      await Promise.all(servers.map((server) => closed(server)));
      await upstream.close();
    },
    close,
  };
}

type Listener = Server | TlsServer;

function listener(
  { tls, log }: SidecarOptions,
  routes: SidecarRoutes,
  rank: Rank,
  isDraining: () => boolean,
): Listener {
  const serve: RequestListener = (request, response) => {
    if (isDraining()) response.setHeader("connection", "close");
    routes.serve(request, response, rank).catch((error: unknown) => {
      log.error("sidecar-failed", { message: String(error) });
      request.socket.destroy();
    });
  };
  const server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve);
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

/**
 * Idle connections are closed as they fall idle, so that waiting for the server means waiting for
 * work.
 */
async function closed(server: Listener): Promise<void> {
  const isClosed = once(server, "close");
  server.close();
  const sweep = setInterval(() => server.closeIdleConnections(), 100);
  await isClosed;
  clearInterval(sweep);
}

function portOf(server: Listener): number {
  const address = server.address();
  invariant(typeof address === "object" && address !== null, "a listening server has an address");
  return address.port;
}

function addressOf(server: Listener): string {
  const address = server.address();
  invariant(typeof address === "object" && address !== null, "a listening server has an address");
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return `${host}:${address.port}`;
}

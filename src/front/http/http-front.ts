import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Server as TcpServer } from "node:net";
import type { Clock } from "../../core/clock.ts";
import type { ExchangeObserver } from "../../core/exchange-report.ts";
import { invariant } from "../../core/invariant.ts";
import type { Log } from "../../core/log.ts";
import type { Dispatcher } from "../../dispatch/dispatcher.ts";
import type { BlockHasher } from "../../request/block-hasher.ts";
import type { BodyScanner } from "../../request/body-scanner.ts";
import { BodyBudget } from "./body-budget.ts";
import { answerClientError } from "./client-error.ts";
import { ClientExchange, requestIdOf } from "./client-exchange.ts";
import { type Connection, Connections } from "./connection.ts";
import type { FrontPool } from "./front-pool.ts";
import { type ServeContext, serveExchange } from "./serve-exchange.ts";

/** Bounds of the HTTP front; all times are wall milliseconds. */
export interface HttpFrontLimits {
  readonly bodyBytesMax: number;
  /** Bytes of all bodies together; above it new ones wait unread. */
  readonly bufferedBytesMax: number;
  readonly bufferWaitMs: number;
  readonly headersTimeoutMs: number;
  /** From the first byte of a request to the last of its body. */
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly maxHeaderBytes: number;
  readonly maxConnections: number;
  readonly drainTimeoutMs: number;
}

/** Limits of a front for which nothing was set. */
export const DEFAULT_HTTP_FRONT_LIMITS: HttpFrontLimits = {
  bodyBytesMax: 64 * 1024 * 1024,
  bufferedBytesMax: 1024 * 1024 * 1024,
  bufferWaitMs: 5000,
  headersTimeoutMs: 60_000,
  requestTimeoutMs: 300_000,
  keepAliveTimeoutMs: 75_000,
  maxHeaderBytes: 16 * 1024,
  maxConnections: 16_384,
  drainTimeoutMs: 30_000,
};

/** What a front is made of. */
export interface HttpFrontOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Whether other threads listen on the same port; the kernel spreads connections over them. */
  readonly isPortShared?: boolean;
  readonly pools: readonly FrontPool[];
  readonly dispatcher: Dispatcher;
  readonly observer: ExchangeObserver;
  readonly clock: Clock;
  readonly log: Log;
  readonly hasher: BlockHasher;
  readonly scanner: BodyScanner;
  readonly limits: HttpFrontLimits;
}

/** A listening front. */
export interface HttpFront {
  readonly host: string;
  readonly port: number;
  /** Bytes of request bodies that are held. */
  readonly bufferedBytes: number;
  /** Refuses new requests, waits for the running ones up to the limit, then closes. */
  drain(): Promise<void>;
  /** Cuts all connections. */
  close(): Promise<void>;
}

/** Bodies that may wait for room at once; each holds a connection. */
const WAITING_BODIES_MAX = 1024;

/** Requests that one connection may send ahead of its answers. */
const PIPELINED_MAX = 128;

/** Clients that may connect at once; node's own 511 lets a thousand streams wait a second for a new SYN. */
const BACKLOG = 4096;

/** Listens; rejects when the address cannot be had. */
export async function startHttpFront(options: HttpFrontOptions): Promise<HttpFront> {
  const front = new Front(options);
  await front.listen();
  return front;
}

class Front implements HttpFront {
  readonly #options: HttpFrontOptions;
  readonly #server: Server;
  readonly #budget: BodyBudget;
  readonly #context: ServeContext;
  readonly #connections = new Connections();
  #openCount = 0;
  #isDraining = false;
  #onIdle: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: HttpFrontOptions) {
    const { limits, pools, dispatcher, hasher, scanner, clock } = options;
    invariant(limits.bodyBytesMax <= limits.bufferedBytesMax, "one body must fit in the budget");
    this.#options = options;
    this.#budget = new BodyBudget({
      bytesMax: limits.bufferedBytesMax,
      waitMs: limits.bufferWaitMs,
      waitingMax: WAITING_BODIES_MAX,
    });
    this.#context = {
      pools,
      dispatcher,
      hasher,
      scanner,
      clock,
      budget: this.#budget,
      bodyBytesMax: limits.bodyBytesMax,
      isDraining: () => this.#isDraining,
    };
    this.#server = this.#createServer(limits);
  }

  get host(): string {
    return this.#options.host;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : this.#options.port;
  }

  get bufferedBytes(): number {
    return this.#budget.usedBytes;
  }

  async listen(): Promise<void> {
    const { host, port, isPortShared: reusePort = false } = this.#options;
    const server = this.#server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port, host, backlog: BACKLOG, reusePort }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    server.on("error", (error) =>
      this.#options.log.error("listen-failed", { error: error.message }),
    );
  }

  async drain(): Promise<void> {
    this.#isDraining = true;
    const closed = this.#stopListening();
    if (this.#openCount > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, this.#options.limits.drainTimeoutMs);
        this.#onIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#cutConnections();
    await closed;
  }

  async close(): Promise<void> {
    this.#isDraining = true;
    const closed = this.#stopListening();
    this.#cutConnections();
    await closed;
  }

  #createServer(limits: HttpFrontLimits): Server {
    const server = createServer({
      noDelay: true,
      // A missing Host is answered by us, in the error shape of all other answers.
      requireHostHeader: false,
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs),
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: checkingIntervalMs(limits),
    });
    server.maxConnections = limits.maxConnections;
    server.on("request", (request, response) => this.#accept(request, response, "none"));
    server.on("checkContinue", (request, response) => this.#accept(request, response, "continue"));
    server.on("checkExpectation", (request, response) =>
      this.#accept(request, response, "unknown"),
    );
    server.on("clientError", (error, socket) =>
      answerClientError(error, socket, this.#connections.of(socket)),
    );
    return server;
  }

  #accept(
    request: IncomingMessage,
    response: ServerResponse,
    expectation: "none" | "continue" | "unknown",
  ): void {
    const { clock, observer } = this.#options;
    const id = requestIdOf(request);
    const isAwaitingContinue = expectation !== "none";
    const exchange = new ClientExchange(request, response, {
      id,
      isAwaitingContinue,
      clock,
      observer,
    });
    const connection = this.#connections.of(request.socket);
    this.#openCount++;
    if (++connection.openCount > PIPELINED_MAX) request.socket.destroy();
    const isUnmet = expectation === "unknown";
    // node:http hands a pipelined request over before the one ahead of it is answered; until then its
    // response has no socket to write to.
    if (response.socket !== null) this.#start(exchange, connection, isUnmet);
    else this.#startInTurn(exchange, connection, isUnmet);
  }

  #startInTurn(exchange: ClientExchange, connection: Connection, isUnmet: boolean): void {
    const { request, response } = exchange;
    const start = (): void => {
      request.off("close", leave);
      this.#start(exchange, connection, isUnmet);
    };
    const leave = (): void => {
      response.off("socket", start);
      exchange.left();
      this.#over(connection);
    };
    response.once("socket", start);
    request.once("close", leave);
  }

  #start(exchange: ClientExchange, connection: Connection, isUnmet: boolean): void {
    // Work may end before the answer has left, and the connection before the work.
    let partCount = 2;
    const partOver = (): void => {
      if (--partCount === 0) this.#over(connection);
    };
    exchange.response.once("close", partOver);
    void this.#run(exchange, connection, isUnmet).then(partOver);
  }

  #over(connection: Connection): void {
    connection.openCount--;
    if (--this.#openCount === 0) this.#onIdle?.();
  }

  async #run(exchange: ClientExchange, connection: Connection, isUnmet: boolean): Promise<void> {
    try {
      if (isUnmet) {
        const message = "the only expectation that is met is 100-continue";
        exchange.reject({ reason: "invalid-request", message });
      } else {
        await serveExchange(exchange, connection, this.#context);
      }
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#options.log.error("request-failed", { requestId: exchange.id, error: text });
      exchange.fail();
    }
  }

  #cutConnections(): void {
    this.#server.closeAllConnections();
    // Ends the sweep for late requests as well.
    this.#server.close();
  }

  /**
   * Only the listening socket is closed: node:http's own `close` also cuts idle connections, on which a
   * request may be under way that should read a 503 instead of a reset.
   */
  #stopListening(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      TcpServer.prototype.close.call(this.#server, () => resolve());
    });
    return this.#closed;
  }
}

/** Late requests are found by a sweep; it runs often enough for short limits and seldom for long ones. */
function checkingIntervalMs(limits: HttpFrontLimits): number {
  const shortest = Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs);
  return Math.max(10, Math.min(5000, shortest / 4));
}

import { noLog } from "../core/log.ts";
import type { EngineGauges } from "../engine/engine-core.ts";
import { engineRoutes } from "./engine-routes.ts";
import { type EngineUnit, type EngineUnitOptions, openEngineUnit } from "./engine-unit.ts";
import { type HttpListener, hostPort, openListener } from "./http-listener.ts";

/** An engine and where it listens; port 0 takes a free one. */
export interface EngineServerOptions
  extends Omit<EngineUnitOptions, "onKvEvents" | "stallTimeoutMs" | "log">,
    Partial<Pick<EngineUnitOptions, "onKvEvents" | "stallTimeoutMs" | "log">> {
  /** Name of the endpoint, for logs. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** One simulated vLLM behind a socket. */
export interface EngineServer {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** `host:port`, the same over a restart. */
  readonly address: string;
  readonly isRunning: boolean;
  /** Undefined while it is killed. */
  counts(): EngineServerCounts | undefined;
  /** Resets all connections and forgets everything, as a host does that loses power. */
  kill(): Promise<void>;
  /** Listens again at the same address with an empty cache; does nothing while running. */
  restart(): Promise<void>;
  /** Ends it; connections are closed. */
  close(): Promise<void>;
}

/** What an engine server is busy with. */
export interface EngineServerCounts {
  readonly connections: number;
  /** Sequences submitted and not ended. */
  readonly sequences: number;
  readonly gauges: EngineGauges;
}

const DEFAULT_STALL_TIMEOUT_MS = 30_000;

/** Starts an engine server; rejects when the port is taken. */
export async function startEngineServer(options: EngineServerOptions): Promise<EngineServer> {
  const server = new RestartableServer(options);
  await server.restart();
  return server;
}

class RestartableServer implements EngineServer {
  readonly name: string;
  readonly host: string;
  readonly #options: EngineUnitOptions;
  #port: number;
  #running: { readonly unit: EngineUnit; readonly listener: HttpListener } | undefined;
  /** Changes of state happen one after another, in the order they were asked for. */
  #change: Promise<void> = Promise.resolve();

  constructor(options: EngineServerOptions) {
    this.name = options.name;
    this.host = options.host;
    this.#port = options.port;
    this.#options = {
      ...options,
      onKvEvents: options.onKvEvents ?? (() => undefined),
      stallTimeoutMs: options.stallTimeoutMs ?? DEFAULT_STALL_TIMEOUT_MS,
      log: options.log ?? noLog,
    };
  }

  get port(): number {
    return this.#port;
  }

  get address(): string {
    return hostPort(this.host, this.#port);
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  counts(): EngineServerCounts | undefined {
    if (this.#running === undefined) return undefined;
    const { unit, listener } = this.#running;
    return {
      connections: listener.connectionCount,
      sequences: unit.driver.sequenceCount,
      gauges: unit.driver.gauges(),
    };
  }

  kill(): Promise<void> {
    return this.#enqueue(() => this.#stop("engine-killed", (listener) => listener.reset()));
  }

  restart(): Promise<void> {
    return this.#enqueue(() => this.#start());
  }

  close(): Promise<void> {
    return this.#enqueue(() => this.#stop("engine-closed", (listener) => listener.close()));
  }

  #enqueue(change: () => Promise<void>): Promise<void> {
    const done = this.#change.then(change);
    // The caller hears of a failure; the next change is tried all the same.
    this.#change = done.catch(() => undefined);
    return done;
  }

  async #start(): Promise<void> {
    if (this.#running !== undefined) return;
    const unit = await openEngineUnit(this.#options);
    try {
      const listener = await openListener(engineRoutes(unit), this.host, this.#port);
      this.#port = listener.port;
      this.#running = { unit, listener };
    } catch (error) {
      await unit.stop();
      throw error;
    }
    this.#options.log.info("engine-started", { engine: this.name, address: this.address });
  }

  async #stop(event: string, cut: (listener: HttpListener) => Promise<void>): Promise<void> {
    if (this.#running === undefined) return;
    const { unit, listener } = this.#running;
    this.#running = undefined;
    await Promise.all([unit.stop(), cut(listener)]);
    this.#options.log.info(event, { engine: this.name, address: this.address });
  }
}

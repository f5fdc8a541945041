import { performance } from "node:perf_hooks";
import type { RouterError } from "../core/router-error.ts";
import {
  type ConnectionOptions,
  type ConnectionOwner,
  EngineConnection,
  type Rider,
} from "./engine-connection.ts";

// uvicorn closes an idle connection after 5 s; ours goes first, so that no request meets the
// closing.
const KEEP_ALIVE_MS = 4000;

/** A request that may have to wait for a connection. */
export interface Passenger extends Rider {
  /** Told once it is on its way. */
  boarded(connection: EngineConnection): void;
}

/** The bounded connections to one address, and the requests that wait for one. */
export class Lane implements ConnectionOwner {
  readonly #options: ConnectionOptions;
  readonly #maxConnections: number;
  readonly #emptied: () => void;
  /** The last one was used last. */
  readonly #idle: EngineConnection[] = [];
  readonly #busy = new Set<EngineConnection>();
  readonly #waiting = new Set<Passenger>();
  #isRetired = false;

  /** `emptied` is called when the lane is retired and its last request has ended. */
  constructor(options: ConnectionOptions, maxConnections: number, emptied: () => void) {
    this.#options = options;
    this.#maxConnections = maxConnections;
    this.#emptied = emptied;
  }

  get address(): string {
    return this.#options.address;
  }

  /** Sends a request, at once or in its turn. */
  board(passenger: Passenger): void {
    if (this.#busy.size < this.#maxConnections) this.#start(passenger, this.#reusable());
    else this.#waiting.add(passenger);
  }

  /** Sends a request on a connection of its own: its first one had died while it was idle. */
  boardAnew(passenger: Passenger): void {
    this.#start(passenger, undefined);
  }

  /** Takes a request that waits out of the queue. */
  leave(passenger: Passenger): void {
    this.#waiting.delete(passenger);
  }

  /** Closes idle connections, and each other one after its request. */
  retire(): void {
    this.#isRetired = true;
    for (const connection of [...this.#idle]) connection.drop();
    this.#checkEmptied();
  }

  /** Fails all requests. */
  cut(fault: RouterError): void {
    this.#isRetired = true;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const connection of [...this.#idle, ...this.#busy]) connection.cut(fault);
    for (const passenger of waiting) passenger.failed(fault, false);
  }

  closeIdle(nowMs: number): void {
    for (const connection of [...this.#idle]) {
      if (connection.isUsable(nowMs, KEEP_ALIVE_MS)) break;
      connection.drop();
    }
  }

  freed(connection: EngineConnection): void {
    this.#busy.delete(connection);
    this.#idle.push(connection);
    if (this.#isRetired && this.#waiting.size === 0) connection.drop();
    else this.#startWaiting();
  }

  closed(connection: EngineConnection): void {
    this.#busy.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
    this.#startWaiting();
    this.#checkEmptied();
  }

  #startWaiting(): void {
    for (const passenger of this.#waiting) {
      if (this.#busy.size >= this.#maxConnections) return;
      this.#waiting.delete(passenger);
      this.#start(passenger, this.#reusable());
    }
  }

  #start(passenger: Passenger, kept: EngineConnection | undefined): void {
    const connection = kept ?? new EngineConnection(this.#options, this);
    this.#busy.add(connection);
    passenger.boarded(connection);
    connection.carry(passenger);
  }

  #reusable(): EngineConnection | undefined {
    const connection = this.#idle.pop();
    if (connection === undefined) return undefined;
    if (connection.isUsable(performance.now(), KEEP_ALIVE_MS)) return connection;
    // The others have been idle for longer; the sweep closes them.
    connection.drop();
    return undefined;
  }

  #checkEmptied(): void {
    if (this.#isRetired && this.#busy.size === 0 && this.#waiting.size === 0) this.#emptied();
  }
}

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { KvEvent } from "../core/kv-event.ts";
import type { Log } from "../core/log.ts";
import type { EngineControl } from "./admin-api.ts";
import type { EngineAddress, HostCommand, HostMessage } from "./engine-host-protocol.ts";

/** What the host tells its owner. */
export interface EngineHostEvents {
  /** Engines are up, first or again; their addresses may be new. */
  launched(engines: readonly EngineAddress[]): void;
  /** The process died: no engine answers until the next `launched`. */
  lost(): void;
  /** The engine was started again with an empty cache. */
  restarted(engine: string): void;
  kvEvents(engine: string, events: readonly KvEvent[]): void;
  /** The host keeps dying and is given up. */
  gaveUp(): void;
}

/** Deaths in a row after which something is wrong that a restart does not mend. */
const RESTARTS_MAX = 5;
/** A host that lived this long counts as healthy. */
const HEALTHY_MS = 60_000;
const RESTART_DELAY_MS = 500;
const STOP_TIMEOUT_MS = 5000;
const CONTROL_TIMEOUT_MS = 10_000;

interface PendingCall {
  resolve(): void;
  reject(error: Error): void;
}

/** The child process with all simulated engines, started again when it dies. */
export class EngineHostClient implements EngineControl {
  readonly #launch: HostCommand & { kind: "launch" };
  readonly #events: EngineHostEvents;
  readonly #log: Log;
  readonly #calls = new Map<number, PendingCall>();
  #child: ChildProcess | undefined;
  #lastCall = 0;
  #deaths = 0;
  #isStopping = false;

  constructor(options: {
    launch: HostCommand & { kind: "launch" };
    events: EngineHostEvents;
    log: Log;
  }) {
    this.#launch = options.launch;
    this.#events = options.events;
    this.#log = options.log;
  }

  /** Starts the process; rejects when an engine cannot be started. */
  open(): Promise<void> {
    const child = fork(fileURLToPath(new URL("./engine-host.ts", import.meta.url)), {
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#child = child;
    const startedAt = Date.now();
    child.on("error", (error) => this.#log.error("engine-host-failed", { error: error.message }));
    return new Promise((resolve, reject) => {
      child.on("message", (message: HostMessage) => {
        if (message.kind === "launch-failed") reject(new Error(message.message));
        this.#heard(message);
        if (message.kind === "launched") resolve();
      });
      child.once("exit", (code, signal) => {
        reject(new Error(`the engine host ended with ${signal ?? `exit code ${code}`}`));
        this.#exited(code, signal, startedAt);
      });
      child.send(this.#launch);
    });
  }

  kill(engine: string): Promise<void> {
    return this.#control("kill", engine);
  }

  async start(engine: string): Promise<void> {
    await this.#control("start", engine);
    this.#events.restarted(engine);
  }

  /** Ends the process: politely, and by force when it does not listen. */
  async close(): Promise<void> {
    this.#isStopping = true;
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    if (child.connected) child.send({ kind: "stop" } satisfies HostCommand);
    const forced = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(forced);
  }

  #control(kind: "kill" | "start", engine: string): Promise<void> {
    const child = this.#child;
    if (child === undefined || !child.connected) {
      return Promise.reject(new Error("the engine host is being restarted"));
    }
    const call = ++this.#lastCall;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#settle(call, `no answer within ${CONTROL_TIMEOUT_MS} ms`),
        CONTROL_TIMEOUT_MS,
      );
      this.#calls.set(call, {
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      child.send({ kind, call, engine } satisfies HostCommand);
    });
  }

  #heard(message: HostMessage): void {
    switch (message.kind) {
      case "launched":
        this.#events.launched(message.engines);
        break;
      case "done":
        this.#settle(message.call, message.error);
        break;
      case "kv-events":
        this.#events.kvEvents(message.engine, message.events);
        break;
      case "launch-failed":
        this.#log.error("engine-launch-failed", { error: message.message });
        break;
    }
  }

  #settle(call: number, error: string | undefined): void {
    const pending = this.#calls.get(call);
    this.#calls.delete(call);
    if (error === undefined) pending?.resolve();
    else pending?.reject(new Error(error));
  }

  #exited(code: number | null, signal: string | null, startedAt: number): void {
    for (const call of this.#calls.keys()) this.#settle(call, "the engine host died");
    if (this.#isStopping) return;
    this.#events.lost();
    this.#deaths = Date.now() - startedAt > HEALTHY_MS ? 1 : this.#deaths + 1;
    this.#log.error("engine-host-exited", { code, signal, deaths: this.#deaths });
    if (this.#deaths > RESTARTS_MAX) {
      this.#events.gaveUp();
      return;
    }
    this.#reopen().catch((error: unknown) => {
      // The exit that this rejection tells of has started the next attempt already.
      this.#log.warn("engine-host-restart-failed", { error: String(error) });
    });
  }

  async #reopen(): Promise<void> {
    await delay(RESTART_DELAY_MS * 2 ** (this.#deaths - 1));
    if (!this.#isStopping) await this.open();
  }
}

import type { Clock } from "../core/clock.ts";
import type { KvEvent } from "../core/kv-event.ts";
import type { Log } from "../core/log.ts";
import { DEFAULT_LEGS_SETTINGS } from "../dispatch/legs/legs-settings.ts";
import { type EngineServer, startEngineServer } from "../engine-server/start-engine-server.ts";
import type { BlockHasher } from "../request/block-hasher.ts";
import { type Sidecar, startSidecar } from "../sidecar/start-sidecar.ts";
import type { EngineAddress } from "./engine-host-protocol.ts";
import type { EnginePlan } from "./engine-plan.ts";

/** What all engines of a host share. */
export interface HostSettings {
  readonly host: string;
  readonly clock: Clock;
  readonly timeScale: number;
  readonly seed: number;
  readonly hasher: BlockHasher;
  readonly prefillFallback: "decode" | "error";
  readonly log: Log;
  onKvEvents(engine: string, events: readonly KvEvent[]): void;
}

/** One endpoint of the host: an engine, and the sidecar in front of it where the plan has one. */
export class HostedEngine {
  readonly #plan: EnginePlan;
  readonly #settings: HostSettings;
  readonly #server: EngineServer;
  #sidecar: Sidecar | undefined;
  /** The sidecar's port, kept over restarts so that the endpoint's address stays. */
  #sidecarPort = 0;

  private constructor(plan: EnginePlan, settings: HostSettings, server: EngineServer) {
    this.#plan = plan;
    this.#settings = settings;
    this.#server = server;
  }

  static async open(plan: EnginePlan, settings: HostSettings): Promise<HostedEngine> {
    const { host, clock, timeScale, seed, hasher, log } = settings;
    const server = await startEngineServer({
      name: plan.name,
      host,
      port: 0,
      modelName: plan.modelName,
      config: plan.config,
      clock,
      timeScale,
      // Answers are drawn from the run's seed alone: equal prompts get equal texts on every engine.
      seed,
      hasher,
      link: plan.link,
      isKvConnectorEnabled: plan.isKvConnectorEnabled,
      onKvEvents: (batch) => settings.onKvEvents(plan.name, batch.events),
      log,
    });
    const engine = new HostedEngine(plan, settings, server);
    await engine.#open();
    return engine;
  }

  get address(): EngineAddress {
    const engineAddress = this.#server.address;
    const { name } = this.#plan;
    return { name, address: this.#sidecar?.address ?? engineAddress, engineAddress };
  }

  /** The endpoint loses power: both its processes are gone at once. */
  async kill(): Promise<void> {
    const sidecar = this.#sidecar;
    await Promise.all([this.#server.kill(), sidecar?.close()]);
  }

  /** The endpoint comes back at its address with nothing cached. */
  async start(): Promise<void> {
    if (this.#server.isRunning) return;
    await this.#server.restart();
    await this.#open();
  }

  async close(): Promise<void> {
    await Promise.all([this.#server.close(), this.#sidecar?.close()]);
  }

  async #open(): Promise<void> {
    const { host, clock, timeScale, prefillFallback, log } = this.#settings;
    if (this.#plan.hasSidecar) {
      this.#sidecar = await startSidecar({
        host,
        port: this.#sidecarPort,
        engine: engineAt(this.#server.address),
        legs: { ...DEFAULT_LEGS_SETTINGS, fallback: prefillFallback },
        clock,
        timeScale,
        log,
      });
      this.#sidecarPort = Number(this.#sidecar.address.split(":").at(-1));
    }
    // An empty cache is news too: it tells a router that this engine reports its blocks.
    if (this.#plan.config.isKvEventsEnabled) {
      this.#settings.onKvEvents(this.#plan.name, [{ kind: "cleared" }]);
    }
  }
}

function engineAt(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(":");
  return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
}

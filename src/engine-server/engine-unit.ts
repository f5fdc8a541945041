import { randomUUID } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { EngineConfig } from "../engine/engine-config.ts";
import type { EngineCore } from "../engine/engine-core.ts";
import { Nic } from "../engine/kv-transfer.ts";
import { createEngine } from "../engine/vllm-engine.ts";
import type { BlockHasher } from "../request/block-hasher.ts";
import { EngineMetrics } from "./engine-metrics.ts";
import { type HttpListener, openListener } from "./http-listener.ts";
import { type KvEventBatch, KvEventPublisher } from "./kv-event-publisher.ts";
import { type KvEventSocketOptions, openKvEventSocket } from "./kv-event-socket.ts";
import type { KvLink } from "./kv-link.ts";
import { KvLoader } from "./kv-loader.ts";
import { kvSideChannel } from "./kv-side-channel.ts";
import { RealTimeDriver } from "./real-time-driver.ts";

/** What one simulated vLLM is and serves. */
export interface EngineUnitOptions {
  readonly modelName: string;
  readonly config: EngineConfig;
  /** Engine time; one clock for all engines of a process, so that they live in the same moment. */
  readonly clock: Clock;
  /** Engine seconds in a second of wall time: what the clock runs at. */
  readonly timeScale: number;
  /** Draws answers of requests that bring no seed of their own. */
  readonly seed: number;
  /** Makes the keys of prompts' blocks. */
  readonly hasher: BlockHasher;
  readonly link: KvLink;
  /** Whether `--kv-transfer-config` names a connector; without one KV parameters are ignored. */
  readonly isKvConnectorEnabled: boolean;
  /** Called when the engine's events are enabled; must not throw. */
  readonly onKvEvents: (batch: KvEventBatch) => void;
  /** Where the engine's events are published over ZMQ; undefined for nowhere. */
  readonly kvEventSocket?: KvEventSocketOptions | undefined;
  /** Wall time for which a streaming client may leave a full buffer untouched before it is cut. */
  readonly stallTimeoutMs: number;
  readonly log: Log;
}

/** The life of one engine, from an empty cache to its end: what a restart replaces. */
export interface EngineUnit {
  readonly options: EngineUnitOptions;
  readonly engineId: string;
  /** Unix seconds. */
  readonly createdAt: number;
  /** Only the driver may advance it; others ask it for faults. */
  readonly engine: Pick<EngineCore, "fault">;
  readonly driver: RealTimeDriver;
  readonly metrics: EngineMetrics;
  readonly loader: KvLoader;
  /** Undefined without a KV connector. */
  readonly sideChannel: HttpListener | undefined;
  /** Ends the engine at once: nothing is told to anybody. */
  stop(): Promise<void>;
}

/** Side channels stay on the machine: simulated engines move no bytes between hosts. */
const SIDE_CHANNEL_HOST = "127.0.0.1";

/** Starts an engine with an empty cache and, with a connector, its side channel on a free port. */
export async function openEngineUnit(options: EngineUnitOptions): Promise<EngineUnit> {
  const { config, modelName, clock, timeScale, link, isKvConnectorEnabled, log } = options;
  const engineId = randomUUID();
  const engine = createEngine(config);
  const metrics = new EngineMetrics({ config, modelName, isKvConnectorEnabled });
  const kvEvents =
    options.kvEventSocket === undefined
      ? undefined
      : await openKvEventSocket(options.kvEventSocket, log);
  const publisher = new KvEventPublisher((batch) => {
    kvEvents?.publish(batch);
    options.onKvEvents(batch);
  });
  const driver = new RealTimeDriver(engine, {
    clock,
    timeScale,
    events: {
      kvWanted: (_id, handle, tokenCount, atUs) => loader.wanted(handle, tokenCount, atUs),
      kvEvents: (events, atUs) => publisher.add(events, atUs, driver),
    },
  });
  const nic = new Nic();
  const loader = new KvLoader({ driver, model: config.model, link, nic, metrics, log });
  const holder = kvSideChannel({ engineId, driver, clock, link, nic });
  const sideChannel = isKvConnectorEnabled
    ? await openListener(holder, SIDE_CHANNEL_HOST, 0)
    : undefined;
  return {
    options,
    engineId,
    createdAt: Math.floor(Date.now() / 1000),
    engine,
    driver,
    metrics,
    loader,
    sideChannel,
    async stop() {
      driver.stop();
      await Promise.all([loader.close(), sideChannel?.reset(), kvEvents?.close()]);
    },
  };
}

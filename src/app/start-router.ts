import process from "node:process";
import type { Clock } from "../core/clock.ts";
import type { Json } from "../core/json.ts";
import type { Log } from "../core/log.ts";
import type { PoolRouterCore } from "../director/pool-router-core.ts";
import { RECORDING_FORMAT, RECORDING_VERSION } from "../director/recorded-line.ts";
import type { RouterCore } from "../director/router-core.ts";
import { createDispatcher } from "../dispatch/create-dispatcher.ts";
import type { LegsSettings } from "../dispatch/legs/legs-settings.ts";
import { type HttpFrontOptions, startHttpFront } from "../front/http/http-front.ts";
import type { BlockHasher } from "../request/block-hasher.ts";
import { WasmBlockHasher } from "../request/wasm-block-hasher.ts";
import { WasmBodyScanner } from "../request/wasm-body-scanner.ts";
import { createAccessLog } from "../telemetry/access-log.ts";
import { createTelemetry, type Telemetry } from "../telemetry/create-telemetry.ts";
import { type AdminApi, type EngineControl, startAdminApi } from "./admin-api.ts";
import { adminSource } from "./admin-source.ts";
import { EventStream } from "./event-stream.ts";
import { publishing } from "./exchange-events.ts";
import { collectSeldom } from "./heap-growth.ts";
import { makePoolCore } from "./make-pool-core.ts";
import { blockKeysOf } from "./pool-tokens.ts";
import { openRecording, type Recording } from "./recording.ts";
import { NotingHasher, RecordingCore, recordedConfig } from "./recording-core.ts";
import type { RouterOptions } from "./router-options.ts";
import { LivePool, type PoolSpec } from "./router-pool.ts";
import { RouterThreads, type ThreadSettings } from "./router-threads.ts";

/** A whole live router. */
export interface RouterSettings {
  readonly host: string;
  readonly port: number;
  /** Empty listens on all addresses. */
  readonly adminHost: string;
  readonly adminPort: number;
  readonly pools: readonly PoolSpec[];
  /** Engine time. */
  readonly clock: Clock;
  readonly timeScale: number;
  readonly seed: number;
  readonly prefillCandidates: number;
  /** How the router runs both legs of split requests; undefined leaves that to sidecars. */
  readonly legs?: LegsSettings | undefined;
  readonly isCorrectingMetrics: boolean;
  readonly engines: EngineControl | undefined;
  /** Whether the engines count four bytes as a token, as simulated ones do. */
  readonly isEstimating?: boolean;
  readonly log: Log;
  readonly options: RouterOptions;
  /** File that every input of the cores is written to. */
  readonly record?: string | undefined;
  /** How this program stands among its replicas, for `/api/config`. */
  readonly describeElection?: (() => Json) | undefined;
  /** Undefined: this thread routes. */
  readonly threads?: ThreadSettings | undefined;
}

/** What a front is opened with. */
export type FrontParts = Omit<HttpFrontOptions, "host" | "port" | "pools" | "limits"> & {
  readonly limits: RouterOptions;
  readonly pools: readonly LivePool[];
};

/** Sockets that requests come by. */
export interface RouterFront {
  readonly port: number;
  readonly bufferedBytes: number;
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the front of a router; rejects when its address cannot be had. */
export type OpenFront = (parts: FrontParts) => Promise<RouterFront>;

/** A running router. */
export interface Router {
  readonly port: number;
  readonly adminPort: number;
  core(pool: string): RouterCore | undefined;
  /** The same core for those who only look. */
  state(pool: string): PoolRouterCore | undefined;
  /** The endpoint at this address is gone: its connections are closed. */
  forget(address: string): void;
  /** Refuses new requests, finishes the running ones, then closes everything. */
  drain(): Promise<void>;
}

/** How often cores are given the time to give up what never ended. */
const TICK_MS = 1000;

/** Builds the graph and listens; rejects, with nothing left running, when a port cannot be had. */
export async function startRouter(
  settings: RouterSettings,
  openFront?: OpenFront,
): Promise<Router> {
  collectSeldom();
  const { clock, timeScale, log, options } = settings;
  const events = new EventStream();
  let front: RouterFront | undefined;
  const accessLog = createAccessLog(process.stdout);
  const telemetry: Telemetry = createTelemetry({
    pools: () => pools.map(poolView),
    bufferedBytes: () => front?.bufferedBytes ?? 0,
    build: { commit: "unknown", ref: process.env["npm_package_version"] ?? "unknown" },
    accessLog,
  });
  const observer = publishing(telemetry.observer, events);
  const publishingLog = endpointEvents(log, events);
  const recording = startRecording(settings);
  const hasher = new WasmBlockHasher();
  const threads = routerThreads(settings, events);
  const { prefillCandidates: candidates } = settings;
  const legs = settings.legs && { ...settings.legs, candidates };
  const dispatcher = createDispatcher({ clock, timeScale, observer, log, limits: options, legs });
  const forget = (address: string): void => {
    dispatcher.forget(address);
    threads?.forget(address);
  };
  const pools = settings.pools.map((spec) =>
    livePool(spec, { settings, telemetry, log: publishingLog, recording, hasher, forget, threads }),
  );
  const closeAll = async (): Promise<void> => {
    await Promise.all([...pools.map((pool) => pool.close()), dispatcher.close()]);
  };
  let admin: AdminApi;
  try {
    const open = openFront ?? (threads === undefined ? httpFront(settings) : threadsFront(threads));
    const scanner = new WasmBodyScanner();
    const ports = { observer, clock, log, hasher, scanner };
    front = await open({ pools, dispatcher, ...ports, limits: options });
    const source = adminSource(pools, { settings, telemetry, events, threads });
    admin = await startAdminApi(source, { host: settings.adminHost, port: settings.adminPort });
  } catch (error) {
    await front?.close();
    await closeAll();
    await recording?.discard();
    throw error;
  }
  const running = front;
  const ticker = setInterval(() => {
    for (const pool of pools) pool.core.tick(clock.nowMs());
  }, TICK_MS);
  return {
    port: running.port,
    adminPort: admin.port,
    core: (key) => pools.find((pool) => pool.key === key)?.core,
    state: (key) => pools.find((pool) => pool.key === key)?.state,
    forget,
    async drain() {
      await running.drain();
      accessLog.flush();
      clearInterval(ticker);
      await closeAll();
      await recording?.close();
      await admin.close();
    },
  };
}

function httpFront({ host, port }: Pick<RouterSettings, "host" | "port">): OpenFront {
  return async (parts) => {
    const front = await startHttpFront({ host, port, ...parts });
    return {
      port: front.port,
      get bufferedBytes() {
        return front.bufferedBytes;
      },
      async drain() {
        for (const pool of parts.pools) pool.core.drain();
        await front.drain();
      },
      close: () => front.close(),
    };
  };
}

function routerThreads(settings: RouterSettings, events: EventStream): RouterThreads | undefined {
  const { threads } = settings;
  return threads === undefined ? undefined : new RouterThreads({ ...settings, threads, events });
}

/** The front of a router whose threads have it. */
function threadsFront(threads: RouterThreads): OpenFront {
  return async ({ pools }) => ({
    port: await threads.open(pools),
    // Each thread counts its own.
    bufferedBytes: 0,
    drain: () => threads.drain(),
    close: () => threads.close(),
  });
}

function livePool(
  spec: PoolSpec,
  parts: {
    settings: RouterSettings;
    telemetry: Telemetry;
    log: Log;
    recording: Recording | undefined;
    hasher: BlockHasher;
    forget(address: string): void;
    threads: RouterThreads | undefined;
  },
): LivePool {
  const { settings, telemetry, log, recording: sink, forget, threads } = parts;
  const { clock, timeScale, options } = settings;
  const keys = blockKeysOf(spec.config, parts.hasher);
  const hasher = new NotingHasher(keys.hasher);
  const made = {
    key: spec.key,
    config: spec.config,
    modelName: spec.modelName ?? "",
    meter: telemetry.meter,
    log,
    stopwatch: { nowMs: () => performance.now() },
    hasher: sink === undefined ? keys.hasher : hasher,
    kvSeed: keys.seed,
    sharing: threads?.ownerOf(spec.key),
  };
  const core = makePoolCore(made, settings);
  const recording =
    sink === undefined ? undefined : new RecordingCore(core, { pool: spec.key, sink, hasher });
  const { scrapeIntervalMs, probeTimeoutMs } = options;
  const { meter } = telemetry;
  return new LivePool({
    spec,
    core,
    recording,
    keys,
    isEstimating: settings.isEstimating ?? false,
    clock,
    timeScale,
    scrapeIntervalMs,
    probeTimeoutMs,
    log,
    meter,
    forget,
    followers: threads?.followersOf(spec.key),
  });
}

function startRecording(settings: RouterSettings): Recording | undefined {
  const { record, pools, options, log } = settings;
  if (record === undefined) return undefined;
  const { seed, isCorrectingMetrics, prefillCandidates } = settings;
  const { retryLimit, inFlightMax, exchangeTimeoutMs } = options;
  const header = {
    kind: "header",
    format: RECORDING_FORMAT,
    version: RECORDING_VERSION,
    startedAt: new Date().toISOString(),
    seed,
    isCorrectingMetrics,
    prefillCandidates,
    retryLimit,
    inFlightMax,
    exchangeTimeoutMs,
    pools: pools.map(({ key, modelName, config }) => ({
      pool: key,
      model: modelName ?? "",
      config: recordedConfig(config),
    })),
  } as const;
  return openRecording(record, header, log);
}

function poolView(pool: LivePool) {
  return {
    name: pool.key,
    endpoints: pool.core.endpoints,
    indexes: pool.state.graph.indexes(),
    kvSubscriberCount: pool.kvSubscriberCount,
  };
}

/** Endpoint changes are logged by the cores; readers of `/api/events` get the same words. */
function endpointEvents(log: Log, events: EventStream): Log {
  const publish = (event: string, fields: Parameters<Log["info"]>[1]): void => {
    if (event.startsWith("endpoint-")) events.publish(event, fields ?? {});
  };
  return {
    info(event, fields) {
      log.info(event, fields);
      publish(event, fields);
    },
    warn(event, fields) {
      log.warn(event, fields);
      publish(event, fields);
    },
    error: (event, fields) => log.error(event, fields),
  };
}

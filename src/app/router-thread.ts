import process from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import type { RouterConfig } from "../config/router-config.ts";
import { invariant } from "../core/invariant.ts";
import type { PoolRouterCore } from "../director/pool-router-core.ts";
import type { PoolSharing } from "../director/pool-sharing.ts";
import { createDispatcher } from "../dispatch/create-dispatcher.ts";
import type { FrontPool } from "../front/http/front-pool.ts";
import { startHttpFront } from "../front/http/http-front.ts";
import { WasmBlockHasher } from "../request/wasm-block-hasher.ts";
import { WasmBodyScanner } from "../request/wasm-body-scanner.ts";
import { createAccessLog } from "../telemetry/access-log.ts";
import { createTelemetry } from "../telemetry/create-telemetry.ts";
import { type PoolObjectEntries, withObjects } from "./endpoint-feed.ts";
import { publishing } from "./exchange-events.ts";
import { legsSettings } from "./legs-options.ts";
import { loadConfigText } from "./load-config-text.ts";
import { makePoolCore } from "./make-pool-core.ts";
import { loadRegistry } from "./plugin-registry.ts";
import { blockKeysOf } from "./pool-tokens.ts";
import { processClock } from "./process-clock.ts";
import { createStderrLog } from "./program-log.ts";
import { ServedNames } from "./served-names.ts";
import type {
  FromThread,
  ThreadAnswer,
  ThreadPoolStart,
  ThreadQuestion,
  ThreadStart,
  ToThread,
} from "./thread-protocol.ts";

/** How often the core is given the time to give up what never ended. */
const TICK_MS = 1000;

/** A pool as a routing thread has it: decisions and names; the owner reads metrics and health. */
interface RoutedPool extends FrontPool {
  readonly core: PoolRouterCore;
  reload(text: string): void;
  setObjects(objects: PoolObjectEntries): void;
  setModels(models: readonly string[]): void;
}

invariant(parentPort !== null, "this file is started as a worker");
const owner = parentPort;
const start: ThreadStart = workerData;
const clock = processClock(start.clockStartMs);
const log = createStderrLog("info");
const loading = {
  registry: await loadRegistry(start.plugins.files),
  allowAlpha: start.plugins.allowAlpha,
};
let isWatched = false;
const accessLog = createAccessLog(process.stdout);
const telemetry = createTelemetry({
  pools: () => [],
  bufferedBytes: () => front.bufferedBytes,
  build: undefined,
  accessLog,
});
const observer = publishing(telemetry.observer, {
  get hasReaders() {
    return isWatched;
  },
  publish(event, fields) {
    tell({ kind: "event", event, fields });
  },
});
const hasher = new WasmBlockHasher();
const pools = start.pools.map(routedPool);
const { options, prefillCandidates: candidates } = start;
const dispatcher = createDispatcher({
  clock,
  timeScale: 1,
  observer,
  log,
  limits: options,
  legs: start.legs && { ...legsSettings(start.legs), candidates },
});
const front = await startHttpFront({
  host: start.host,
  port: start.port,
  isPortShared: true,
  pools,
  dispatcher,
  observer,
  clock,
  log,
  hasher,
  scanner: new WasmBodyScanner(),
  limits: options,
});
const ticker = setInterval(() => {
  for (const { core } of pools) core.tick(clock.nowMs());
}, TICK_MS);
owner.on("message", (message: ToThread) => hear(message));
tell({ kind: "listening" });

function tell(message: FromThread): void {
  owner.postMessage(message);
}

function hear(message: ToThread): void {
  switch (message.kind) {
    case "news":
      poolOf(message.pool).core.pool.learn(message.news);
      break;
    case "config":
      poolOf(message.pool).reload(message.text);
      break;
    case "objects":
      poolOf(message.pool).setObjects(message.objects);
      break;
    case "models":
      poolOf(message.pool).setModels(message.models);
      break;
    case "forget":
      dispatcher.forget(message.address);
      break;
    case "watched":
      isWatched = message.isWatched;
      break;
    case "ask":
      void answerTo(message.question).then((answer) => {
        tell({ kind: "answer", call: message.call, answer });
      });
      break;
    case "drain":
      void drain();
      break;
  }
}

function poolOf(key: string): RoutedPool {
  const pool = pools.find((candidate) => candidate.key === key);
  invariant(pool !== undefined, `no pool ${key}`);
  return pool;
}

async function answerTo(question: ThreadQuestion): Promise<ThreadAnswer> {
  switch (question.kind) {
    case "metrics":
      return { kind: "metrics", snapshot: telemetry.snapshot() };
    case "decisions": {
      const decisions = pools.flatMap(({ core }) => core.decisions.latest(question.limit));
      return { kind: "decisions", decisions };
    }
    case "decision": {
      const decision = poolOf(question.pool).core.decisions.read(question.number);
      return { kind: "decisions", decisions: decision === undefined ? [] : [decision] };
    }
    case "rings": {
      const rings = Object.fromEntries(
        pools.map(({ key, core: { decisions } }) => {
          const { count, sizeBytes } = decisions;
          return [key, { count, sizeBytes }];
        }),
      );
      return { kind: "rings", rings };
    }
  }
}

async function drain(): Promise<void> {
  for (const { core } of pools) core.drain();
  await front.drain();
  clearInterval(ticker);
  await dispatcher.close();
  accessLog.flush();
  // Nothing else keeps the thread.
  owner.close();
}

function routedPool(pool: ThreadPoolStart): RoutedPool {
  const { key, namespace, name, modelName, config: source } = pool;
  const load = (text: string): RouterConfig => loadConfigText({ ...source, text }, loading);
  let written = load(source.text);
  let { objects } = pool;
  let config = withObjects(written, objects);
  let models: ReadonlySet<string> = new Set(pool.models);
  const keys = blockKeysOf(config, hasher);
  const { meter } = telemetry;
  const stopwatch = { nowMs: () => performance.now() };
  const sharing: PoolSharing = {
    ...pool.sharing,
    tell: (news) => tell({ kind: "news", pool: key, news }),
  };
  const parts = { key, config, modelName, meter, log, stopwatch, sharing };
  const core = makePoolCore({ ...parts, hasher: keys.hasher, kvSeed: keys.seed }, start);
  const names = new ServedNames(
    () => config,
    () => models,
  );
  const reconfigure = (): void => {
    config = withObjects(written, objects);
    core.reconfigure(config);
  };
  return {
    key,
    namespace,
    name,
    core,
    serves: (model) => names.serves(model),
    isNamed: (model) => names.isNamed(model),
    servedModels: () => names.list(),
    reload(text) {
      // The owner has loaded the same text with the same plugins.
      written = load(text);
      reconfigure();
    },
    setObjects(entries) {
      objects = entries;
      reconfigure();
    },
    setModels(ids) {
      models = new Set(ids);
    },
  };
}

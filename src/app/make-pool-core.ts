import type { RouterConfig } from "../config/router-config.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Meter } from "../core/meter.ts";
import { PoolRouterCore } from "../director/pool-router-core.ts";
import type { PoolSharing } from "../director/pool-sharing.ts";
import type { BlockHasher, BlockKeys } from "../request/block-hasher.ts";
import type { RouterOptions } from "./router-options.ts";

/** What all cores of a program have in common. */
export interface CoreSettings {
  readonly seed: number;
  /** Undefined leaves the legs of split requests to sidecars. */
  readonly legs?: object | undefined;
  readonly prefillCandidates: number;
  readonly isCorrectingMetrics: boolean;
  readonly options: RouterOptions;
  /** They share the decision limits. */
  readonly pools: readonly unknown[];
}

/** One pool's core from its configuration, with the program's own ports. */
export function makePoolCore(
  pool: {
    key: string;
    config: RouterConfig;
    modelName: string;
    meter: Meter;
    log: Log;
    stopwatch: Clock | undefined;
    /** For the blocks of KV events. */
    hasher: BlockHasher;
    /** Where their chains begin. */
    kvSeed?: BlockKeys["seed"];
    /** Where several threads route the pool. */
    sharing?: PoolSharing | undefined;
  },
  settings: CoreSettings,
): PoolRouterCore {
  const { options, pools } = settings;
  return new PoolRouterCore({
    pool: pool.key,
    blueprint: pool.config,
    model: pool.modelName,
    hasher: pool.hasher,
    ...(pool.kvSeed === undefined ? {} : { kvSeed: pool.kvSeed }),
    meter: pool.meter,
    log: pool.log,
    stopwatch: pool.stopwatch,
    seed: settings.seed,
    legs: settings.legs === undefined ? "sidecar" : "router",
    prefillCandidates: settings.prefillCandidates,
    isCorrectingMetrics: settings.isCorrectingMetrics,
    retryLimit: options.retryLimit,
    inFlightMax: options.inFlightMax,
    exchangeTimeoutMs: options.exchangeTimeoutMs,
    decisionCapacity: Math.max(1, Math.floor(options.decisionCapacity / pools.length)),
    decisionBytesMax: Math.floor(options.decisionBytesMax / pools.length),
    sharing: pool.sharing,
  });
}

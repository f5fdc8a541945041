import type { RouterConfig } from "../config/router-config.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Meter } from "../core/meter.ts";
import type { LegRunner } from "../director/dispatch-plan.ts";
import { PoolRouterCore } from "../director/pool-router-core.ts";
import type { PoolSharing } from "../director/pool-sharing.ts";
import type { BlockHasher, BlockKeys } from "../request/block-hasher.ts";
import type { RouterOptions } from "./router-options.ts";

/** One pool's core from its configuration, with the program's own ports. */
export function makePoolCore(pool: {
  key: string;
  config: RouterConfig;
  modelName: string;
  meter: Meter;
  log: Log;
  stopwatch: Clock | undefined;
  seed: number;
  legs: LegRunner;
  prefillCandidates: number;
  isCorrectingMetrics: boolean;
  /** Pools that share the decision limits. */
  poolCount: number;
  options: RouterOptions;
  /** For the blocks of KV events. */
  hasher: BlockHasher;
  /** Where their chains begin. */
  kvSeed?: BlockKeys["seed"];
  /** Where several threads route the pool. */
  sharing?: PoolSharing | undefined;
}): PoolRouterCore {
  const { options, poolCount } = pool;
  return new PoolRouterCore({
    pool: pool.key,
    blueprint: pool.config,
    model: pool.modelName,
    hasher: pool.hasher,
    ...(pool.kvSeed === undefined ? {} : { kvSeed: pool.kvSeed }),
    meter: pool.meter,
    log: pool.log,
    stopwatch: pool.stopwatch,
    seed: pool.seed,
    legs: pool.legs,
    prefillCandidates: pool.prefillCandidates,
    isCorrectingMetrics: pool.isCorrectingMetrics,
    retryLimit: options.retryLimit,
    inFlightMax: options.inFlightMax,
    exchangeTimeoutMs: options.exchangeTimeoutMs,
    decisionCapacity: Math.max(1, Math.floor(options.decisionCapacity / poolCount)),
    decisionBytesMax: Math.floor(options.decisionBytesMax / poolCount),
    sharing: pool.sharing,
  });
}

import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Meter } from "../core/meter.ts";
import type { BlockHasher, BlockKeys } from "../request/block-hasher.ts";
import type { LegRunner } from "./dispatch-plan.ts";
import type { PoolBlueprint } from "./pool-plugins.ts";
import type { PoolSharing } from "./pool-sharing.ts";

/** What a pool's router needs of the world, and its limits. */
export interface PoolRouterOptions {
  /** Unique name of the pool; decision ids begin with it. */
  readonly pool: string;
  readonly blueprint: PoolBlueprint;
  /** Model of the pool: seeds the chains of engines' KV events. */
  readonly model: string;
  readonly hasher: BlockHasher;
  /** Where the chains of KV events begin; as those of prompts unless given. */
  readonly kvSeed?: BlockKeys["seed"];
  readonly meter: Meter;
  readonly log: Log;
  /** Fine clock for plugin timing; undefined in virtual time. */
  readonly stopwatch: Clock | undefined;
  readonly seed: number;
  readonly legs: LegRunner;
  readonly prefillCandidates: number;
  /** Adds what was sent since the last scrape to the engine's figures. */
  readonly isCorrectingMetrics: boolean;
  readonly retryLimit: number;
  readonly inFlightMax: number;
  /** An exchange without end is given up after this long. */
  readonly exchangeTimeoutMs: number;
  readonly decisionCapacity: number;
  readonly decisionBytesMax: number;
  /** Where several threads route the pool. */
  readonly sharing?: PoolSharing | undefined;
}

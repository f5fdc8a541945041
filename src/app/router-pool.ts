import type { RouterConfig } from "../config/router-config.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { HealthProbe } from "../datalayer/health-probe.ts";
import { startHealthProbe } from "../datalayer/health-probe.ts";
import type { Scraper } from "../datalayer/scraper.ts";
import { startScraper } from "../datalayer/scraper.ts";
import { type ServedModels, startServedModels } from "../datalayer/served-models.ts";
import type { PoolRouterCore } from "../director/pool-router-core.ts";
import {
  kvCacheUsage,
  type NumericAttribute,
  runningRequests,
  waitingQueueDepth,
} from "../endpoints/numeric-attribute.ts";
import type { FrontPool } from "../front/http/front-pool.ts";

/** A pool as the program is told of it. */
export interface PoolSpec {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly config: RouterConfig;
  /** Undefined where the engines themselves are asked which models they serve. */
  readonly modelName: string | undefined;
}

/** What a live pool works with. */
export interface LivePoolOptions {
  readonly spec: PoolSpec;
  readonly core: PoolRouterCore;
  readonly clock: Clock;
  readonly timeScale: number;
  readonly scrapeIntervalMs: number;
  readonly probeTimeoutMs: number;
  readonly log: Log;
}

/** A pool with its background readers: metrics, health and, where no manifest says, served models. */
export class LivePool implements FrontPool {
  readonly spec: PoolSpec;
  readonly core: PoolRouterCore;
  readonly #scraper: Scraper;
  readonly #probe: HealthProbe;
  readonly #models: ServedModels | undefined;
  readonly #created = Math.floor(Date.now() / 1000);

  constructor(options: LivePoolOptions) {
    const { spec, core, clock, timeScale, log } = options;
    this.spec = spec;
    this.core = core;
    const shared = {
      core,
      table: core.endpoints,
      clock,
      timeScale,
      timeoutMs: options.probeTimeoutMs,
      log,
    };
    this.#scraper = startScraper({
      ...shared,
      consumes: scrapedAttributes(spec.config),
      intervalMs: options.scrapeIntervalMs,
    });
    this.#probe = startHealthProbe(shared);
    this.#models = spec.modelName === undefined ? startServedModels(shared) : undefined;
  }

  get key(): string {
    return this.spec.key;
  }

  get namespace(): string {
    return this.spec.namespace;
  }

  get name(): string {
    return this.spec.name;
  }

  serves(model: string): boolean {
    return this.#models?.ids().has(model) ?? model === this.spec.modelName;
  }

  servedModels(): readonly { id: string; created: number; ownedBy: string }[] {
    const ids = this.#models?.ids() ?? [this.spec.modelName ?? ""];
    return [...ids].map((id) => ({ id, created: this.#created, ownedBy: "switchyard" }));
  }

  /** Whether some endpoint could take a request. */
  hasReadyEndpoint(): boolean {
    const table = this.core.endpoints;
    for (let slot = 0; slot < table.slotCount; slot++) {
      if (table.isPresent(slot) && table.isReady(slot)) return true;
    }
    return false;
  }

  async close(): Promise<void> {
    await Promise.all([this.#scraper.close(), this.#probe.close(), this.#models?.close()]);
  }
}

/** What the pool's gauges show, whichever plugins are configured. */
const ALWAYS_SCRAPED = [waitingQueueDepth, runningRequests, kvCacheUsage];

/** Columns that the configured plugins or the pool's gauges read: nothing else is worth a scrape. */
function scrapedAttributes(config: RouterConfig): ReadonlySet<NumericAttribute> {
  const consumed = config.plugins.flatMap((plugin) => plugin.definition.consumes ?? []);
  return new Set([...ALWAYS_SCRAPED, ...consumed]);
}

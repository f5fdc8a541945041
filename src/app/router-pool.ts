import { isDeepStrictEqual } from "node:util";
import type { RouterConfig } from "../config/router-config.ts";
import type { Clock } from "../core/clock.ts";
import type { Json } from "../core/json.ts";
import type { Log } from "../core/log.ts";
import type { Meter } from "../core/meter.ts";
import { EndpointClients, type EngineAccess } from "../datalayer/endpoint-clients.ts";
import type { ConsumedMetrics } from "../datalayer/engine-metrics.ts";
import type { HealthProbe } from "../datalayer/health-probe.ts";
import { startHealthProbe } from "../datalayer/health-probe.ts";
import {
  type KvEventAccess,
  type KvEventSubscriber,
  type KvStreamStatus,
  startKvEventSubscriber,
} from "../datalayer/kv-event-subscriber.ts";
import type { Scraper } from "../datalayer/scraper.ts";
import { startScraper } from "../datalayer/scraper.ts";
import { type ServedModels, startServedModels } from "../datalayer/served-models.ts";
import type { PoolRouterCore } from "../director/pool-router-core.ts";
import type { RouterCore } from "../director/router-core.ts";
import {
  kvCacheUsage,
  runningRequests,
  waitingQueueDepth,
} from "../endpoints/numeric-attribute.ts";
import type { FrontPool, ServedModel } from "../front/http/front-pool.ts";
import type { BlockKeys } from "../request/block-hasher.ts";
import {
  type EndpointFeed,
  type FeedPorts,
  type PoolObjectEntries,
  withObjects,
} from "./endpoint-feed.ts";
import { type ConfigSource, FileReload } from "./file-reload.ts";
import { PoolTokens } from "./pool-tokens.ts";
import type { RecordingCore } from "./recording-core.ts";
import { ServedNames } from "./served-names.ts";
import { TokenisingCore } from "./tokenising-core.ts";

/** A pool as the program is told of it. */
export interface PoolSpec {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly config: RouterConfig;
  /** Undefined where the engines themselves are asked which models they serve. */
  readonly modelName: string | undefined;
  /** How the engines are asked for metrics and health; plain HTTP on their own port unless set. */
  readonly access?: EngineAccess | undefined;
  /** Where the engines' KV events are read under a configuration; undefined for nowhere. */
  readonly kvEventAccess?: ((config: RouterConfig) => KvEventAccess | undefined) | undefined;
  /** File that is watched for changes. */
  readonly source: ConfigSource | undefined;
  /** Undefined where the program itself tells the core of endpoints. */
  readonly feed: EndpointFeed | undefined;
}

/** What a live pool works with. */
export interface LivePoolOptions {
  readonly spec: PoolSpec;
  readonly core: PoolRouterCore;
  /** Writes down what enters `core`, where a recording is made. */
  readonly recording?: RecordingCore | undefined;
  /** Keys of the core's index of KV events. */
  readonly keys: BlockKeys;
  /** Whether the engines count four bytes as a token. */
  readonly isEstimating: boolean;
  readonly clock: Clock;
  readonly timeScale: number;
  readonly scrapeIntervalMs: number;
  readonly probeTimeoutMs: number;
  readonly log: Log;
  readonly meter: Meter;
  /** An address that no endpoint has any more: its connections are closed. */
  forget(address: string): void;
  /** The threads that route the pool, where this one does not. */
  readonly followers?: PoolFollowers | undefined;
}

/** The threads that route a pool, as it tells them what is in effect here. */
export interface PoolFollowers {
  /** The file's text after a change that is valid. */
  reconfigured(text: string): void;
  objects(objects: PoolObjectEntries): void;
}

/** A pool with its background readers: metrics, health, KV events and, where no manifest says, served models. */
export class LivePool implements FrontPool {
  readonly spec: PoolSpec;
  /** The door for every input. */
  readonly core: RouterCore;
  /** What lies behind it, for those who only look. */
  readonly state: PoolRouterCore;
  readonly #options: LivePoolOptions;
  readonly #reload: FileReload<RouterConfig> | undefined;
  /** The configuration of the file, without what a feed adds. */
  #written: RouterConfig;
  #objects: PoolObjectEntries = { objectives: [], rewrites: [] };
  #config: RouterConfig;
  readonly #clients: EndpointClients;
  #configText: string;
  #scraper: Scraper;
  #kvEventAccess: KvEventAccess | undefined;
  #kvEvents: KvEventSubscriber | undefined;
  #tokens: PoolTokens;
  readonly #probe: HealthProbe;
  readonly #models: ServedModels | undefined;
  readonly #names: ServedNames;

  constructor(options: LivePoolOptions) {
    const { spec, core, log, meter } = options;
    this.spec = spec;
    this.core = new TokenisingCore(options.recording ?? core, core, () => this.#tokens);
    this.state = core;
    this.#options = options;
    this.#written = spec.config;
    this.#config = spec.config;
    this.#clients = new EndpointClients(options.probeTimeoutMs, spec.access);
    this.#tokens = this.#newTokens();
    this.#configText = spec.source?.text ?? "";
    this.#scraper = this.#startScraper();
    this.#followKvEvents(spec.kvEventAccess?.(spec.config));
    const readers = this.#readerOptions();
    this.#probe = startHealthProbe(readers);
    this.#models = spec.modelName === undefined ? startServedModels(readers) : undefined;
    const named = new Set([spec.modelName ?? ""]);
    this.#names = new ServedNames(
      () => this.#config,
      () => this.#models?.ids() ?? named,
    );
    const apply = (config: RouterConfig, text: string): void => {
      this.#reconfigure(config, this.#objects);
      this.#configText = text;
      options.followers?.reconfigured(text);
    };
    this.#reload =
      spec.source === undefined
        ? undefined
        : new FileReload({ source: spec.source, noun: "config", apply, log, meter });
    spec.feed?.start(this.#feedPorts());
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
    return this.#names.serves(model);
  }

  isNamed(model: string): boolean {
    return this.#names.isNamed(model);
  }

  servedModels(): readonly ServedModel[] {
    return this.#names.list();
  }

  /** Whether some endpoint could take a request. */
  hasReadyEndpoint(): boolean {
    const table = this.core.endpoints;
    for (let slot = 0; slot < table.slotCount; slot++) {
      if (table.isPresent(slot) && table.isReady(slot)) return true;
    }
    return false;
  }

  /** Endpoints whose KV events are read. */
  get kvSubscriberCount(): number {
    return this.#kvEvents?.activeCount ?? 0;
  }

  /** How an endpoint's KV events flow; undefined where they are not read. */
  kvStream(slot: number): KvStreamStatus | undefined {
    return this.#kvEvents?.status(slot);
  }

  /** The configuration in effect. */
  get config(): RouterConfig {
    return this.#config;
  }

  /** Text of the file that it was read from. */
  get configText(): string {
    return this.#configText;
  }

  /** What a feed adds to the file. */
  get objects(): PoolObjectEntries {
    return this.#objects;
  }

  /** How the last change of the configuration file went. */
  get lastReload(): Json {
    return this.#reload?.last ?? null;
  }

  /** Why the configuration file cannot be read at present. */
  get unreadableConfig(): string | null {
    return this.#reload?.unreadable ?? null;
  }

  async close(): Promise<void> {
    this.#reload?.close();
    await this.spec.feed?.close();
    await Promise.all([
      this.#scraper.close(),
      this.#kvEvents?.close(),
      this.#probe.close(),
      this.#models?.close(),
      this.#tokens.close(),
    ]);
  }

  #feedPorts(): FeedPorts {
    const { log, meter, clock, forget, followers } = this.#options;
    return {
      log,
      meter,
      endpoints: ({ changes, goneAddresses }) => {
        for (const change of changes) this.core.endpoint(change, clock.nowMs());
        for (const address of goneAddresses) forget(address);
      },
      objects: (objects) => {
        this.#reconfigure(this.#written, objects);
        followers?.objects(objects);
      },
    };
  }

  #reconfigure(written: RouterConfig, objects: PoolObjectEntries): void {
    const config = withObjects(written, objects);
    const kvEventAccess = this.spec.kvEventAccess?.(config);
    (this.#options.recording ?? this.state).reconfigure(config);
    this.#config = config;
    this.#objects = objects;
    // Objects change nothing of what is scraped.
    if (written === this.#written) return;
    this.#written = written;
    this.#endReader(this.#scraper);
    this.#scraper = this.#startScraper();
    this.#endReader(this.#tokens);
    this.#tokens = this.#newTokens();
    this.#followKvEvents(kvEventAccess);
  }

  #newTokens(): PoolTokens {
    const { keys, isEstimating, log } = this.#options;
    const { modelName, access } = this.spec;
    const table = this.state.endpoints;
    return new PoolTokens({
      config: this.#config,
      modelName,
      isEstimating,
      keys,
      table,
      access,
      log,
    });
  }

  /** Begins anew only where something else is to be read: a new stream knows nothing of its engine. */
  #followKvEvents(access: KvEventAccess | undefined): void {
    if (isDeepStrictEqual(access, this.#kvEventAccess)) return;
    this.#kvEventAccess = access;
    this.#endReader(this.#kvEvents);
    const { meter } = this.#options;
    this.#kvEvents =
      access === undefined
        ? undefined
        : startKvEventSubscriber({ ...this.#readerOptions(), access, meter, pool: this.key });
  }

  #endReader(reader: { close(): Promise<void> } | undefined): void {
    reader?.close().catch((error: unknown) => {
      this.#options.log.warn("reader-close-failed", { error: String(error) });
    });
  }

  #startScraper(): Scraper {
    return startScraper({
      ...this.#readerOptions(),
      meter: this.#options.meter,
      consumes: scrapedMetrics(this.#config),
      intervalMs: this.#options.scrapeIntervalMs,
    });
  }

  #readerOptions() {
    const { clock, timeScale, log } = this.#options;
    const { core } = this;
    return { core, table: core.endpoints, clients: this.#clients, clock, timeScale, log };
  }
}

/** What the pool's gauges show, whichever plugins are configured. */
const ALWAYS_SCRAPED = [waitingQueueDepth, runningRequests, kvCacheUsage];

/** What the configured plugins or the pool's gauges read: nothing else is worth a scrape. */
function scrapedMetrics({ plugins }: RouterConfig): ConsumedMetrics {
  const consumed = plugins.flatMap((plugin) => plugin.definition.consumes ?? []);
  return {
    columns: new Set([...ALWAYS_SCRAPED, ...consumed]),
    lora: plugins.some((plugin) => plugin.definition.consumesLora === true),
  };
}

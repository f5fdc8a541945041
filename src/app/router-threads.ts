import { type AddressInfo, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../core/log.ts";
import {
  type PoolNews,
  type PoolSharing,
  type SharedPool,
  sharedPool,
} from "../director/pool-sharing.ts";
import type { Decision } from "../scheduling/decision.ts";
import { endedSnapshot, type MetricSnapshot } from "../telemetry/instruments.ts";
import type { EventStream } from "./event-stream.ts";
import type { LegsOptions } from "./legs-options.ts";
import type { RouterOptions } from "./router-options.ts";
import type { LivePool, PoolFollowers } from "./router-pool.ts";
import { RoutingThread } from "./routing-thread.ts";
import type {
  FromThread,
  PluginFiles,
  ThreadAnswer,
  ThreadPoolStart,
  ThreadQuestion,
  ThreadRings,
  ThreadStart,
  ToThread,
} from "./thread-protocol.ts";

/** How a router is run by several threads. */
export interface ThreadSettings {
  /** Threads that route; the main thread reads metrics and health and answers the admin API. */
  readonly count: number;
  readonly plugins: PluginFiles;
  /** From what each thread makes the router's own legs; undefined leaves them to sidecars. */
  readonly legs: LegsOptions | undefined;
  /** Start of the router's clock, in milliseconds of the process's. */
  readonly clockStartMs: number;
  /** Called when threads keep dying. */
  gaveUp(): void;
}

/** What the threads are made of. */
export interface RouterThreadsOptions
  extends Pick<
    ThreadStart,
    "host" | "port" | "seed" | "prefillCandidates" | "isCorrectingMetrics"
  > {
  readonly threads: ThreadSettings;
  readonly options: RouterOptions;
  readonly events: EventStream;
  readonly log: Log;
}

/** Deaths in a row after which something is wrong that a restart does not mend. */
const RESTARTS_MAX = 5;
/** A thread that lived this long counts as healthy. */
const HEALTHY_MS = 60_000;
const RESTART_DELAY_MS = 500;
/** How often threads are told which models the engines serve, if that changed. */
const MODELS_EVERY_MS = 250;

/** The threads of a router, started again when they die, and what their owner asks and tells them. */
export class RouterThreads {
  readonly #options: RouterThreadsOptions;
  readonly #shared = new Map<string, SharedPool>();
  readonly #threads = new Map<number, RoutingThread>();
  /** Latest counts of each thread, and of those that have ended. */
  readonly #snapshots = new Map<number, MetricSnapshot>();
  #ended: MetricSnapshot = [];
  readonly #modelsTold = new Map<string, string>();
  #modelsTimer: NodeJS.Timeout | undefined;
  #pools: readonly LivePool[] = [];
  #port = 0;
  #deaths = 0;
  #isStopping = false;

  constructor(options: RouterThreadsOptions) {
    this.#options = options;
    options.events.onWatched = (isWatched) => this.#post({ kind: "watched", isWatched });
  }

  /** The owner's part in a pool. */
  ownerOf(pool: string): PoolSharing {
    const { threads, options } = this.#options;
    const shared = sharedPool({ deciders: threads.count, inFlightMax: options.inFlightMax });
    this.#shared.set(pool, shared);
    const tell = (news: PoolNews): void => this.#post({ kind: "news", pool, news });
    return { ...shared, thread: 0, news: [], tell };
  }

  /** Starts all threads on one port and returns it; rejects, with none left, when one cannot listen. */
  async open(pools: readonly LivePool[]): Promise<number> {
    const { host, port, threads } = this.#options;
    this.#pools = pools;
    // Ports are shared by all sockets of the user that ask for it, so another router would not be noticed.
    this.#port = await freePort(host, port);
    for (let thread = 1; thread <= threads.count; thread++) this.#start(thread);
    try {
      await Promise.all([...this.#threads.values()].map(({ listening }) => listening));
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#modelsTimer = setInterval(() => this.#tellModels(), MODELS_EVERY_MS);
    return this.#port;
  }

  /** How a pool's owner tells the threads of its changes. */
  followersOf(pool: string): PoolFollowers {
    return {
      reconfigured: (text) => this.#post({ kind: "config", pool, text }),
      objects: (objects) => this.#post({ kind: "objects", pool, objects }),
    };
  }

  forget(address: string): void {
    this.#post({ kind: "forget", address });
  }

  /** What the threads counted, those included that have ended. */
  async snapshots(): Promise<readonly MetricSnapshot[]> {
    const ask = async (thread: RoutingThread): Promise<void> => {
      const answer = await thread.ask({ kind: "metrics" });
      // Kept before the thread can end, whatever the others take: its end moves what is kept.
      if (answer?.kind === "metrics") this.#snapshots.set(thread.thread, answer.snapshot);
    };
    await Promise.all([...this.#threads.values()].map(ask));
    return [this.#ended, ...this.#snapshots.values()];
  }

  /** The latest decisions of each thread, at most `limit` of each. */
  async decisions(limit: number): Promise<readonly Decision[]> {
    const answers = await this.#ask({ kind: "decisions", limit });
    return answers.flatMap((answer) => (answer.kind === "decisions" ? answer.decisions : []));
  }

  async decision(pool: string, number: number): Promise<Decision | undefined> {
    const thread = this.#threads.get((number % this.#options.threads.count) + 1);
    const answer = await thread?.ask({ kind: "decision", pool, number });
    return answer?.kind === "decisions" ? answer.decisions[0] : undefined;
  }

  /** Each thread's decision rings. */
  async rings(): Promise<readonly ThreadRings[]> {
    const answers = await this.#ask({ kind: "rings" });
    return answers.flatMap((answer) => (answer.kind === "rings" ? [answer.rings] : []));
  }

  async drain(): Promise<void> {
    this.#stopping();
    const { drainTimeoutMs } = this.#options.options;
    await Promise.all([...this.#threads.values()].map((thread) => thread.drain(drainTimeoutMs)));
  }

  async close(): Promise<void> {
    this.#stopping();
    await Promise.all([...this.#threads.values()].map((thread) => thread.stop()));
  }

  #stopping(): void {
    this.#isStopping = true;
    clearInterval(this.#modelsTimer);
  }

  #start(thread: number): void {
    const { threads, options, host, seed } = this.#options;
    const { prefillCandidates, isCorrectingMetrics } = this.#options;
    const startedAtMs = performance.now();
    const routing = new RoutingThread(
      {
        thread,
        host,
        port: this.#port,
        clockStartMs: threads.clockStartMs,
        pools: this.#pools.map((pool) => this.#poolStart(pool, thread)),
        plugins: threads.plugins,
        seed,
        prefillCandidates,
        legs: threads.legs,
        isCorrectingMetrics,
        options: partOf(options, threads.count),
      },
      (message) => this.#hear(message),
    );
    this.#threads.set(thread, routing);
    routing.post({ kind: "watched", isWatched: this.#options.events.hasReaders });
    void routing.ended.then((reason) => this.#endedThread(thread, reason, startedAtMs));
  }

  #poolStart(pool: LivePool, thread: number): ThreadPoolStart {
    const { key, namespace, name, modelName = "", source } = pool.spec;
    const shared = this.#shared.get(key) as SharedPool;
    return {
      key,
      namespace,
      name,
      modelName,
      models: pool.servedModels().map(({ id }) => id),
      config: { file: source?.file ?? "", text: pool.configText },
      objects: pool.objects,
      sharing: { ...shared, thread, news: pool.state.pool.news() },
    };
  }

  #hear(message: FromThread): void {
    if (message.kind === "event") this.#options.events.publish(message.event, message.fields);
    if (message.kind !== "news") return;
    const pool = this.#pools.find(({ key }) => key === message.pool);
    pool?.state.pool.learn(message.news);
  }

  async #endedThread(thread: number, reason: string, startedAtMs: number): Promise<void> {
    this.#threads.delete(thread);
    for (const { state } of this.#pools) state.pool.threadEnded(thread);
    if (this.#isStopping) return;
    const { log, threads } = this.#options;
    const counted = this.#snapshots.get(thread);
    this.#snapshots.delete(thread);
    if (counted !== undefined) this.#ended = endedSnapshot([this.#ended, counted]);
    this.#deaths = performance.now() - startedAtMs > HEALTHY_MS ? 1 : this.#deaths + 1;
    log.error("thread-exited", { thread, reason, deaths: this.#deaths });
    if (this.#deaths > RESTARTS_MAX) {
      threads.gaveUp();
      return;
    }
    await delay(RESTART_DELAY_MS * 2 ** (this.#deaths - 1));
    if (!this.#isStopping) this.#start(thread);
  }

  #tellModels(): void {
    for (const pool of this.#pools) {
      const models = pool.servedModels().map(({ id }) => id);
      const told = JSON.stringify(models);
      if (this.#modelsTold.get(pool.key) === told) continue;
      this.#modelsTold.set(pool.key, told);
      this.#post({ kind: "models", pool: pool.key, models });
    }
  }

  #post(message: ToThread): void {
    for (const thread of this.#threads.values()) thread.post(message);
  }

  async #ask(question: ThreadQuestion): Promise<readonly ThreadAnswer[]> {
    const threads = [...this.#threads.values()];
    const answers = await Promise.all(threads.map((thread) => thread.ask(question)));
    return answers.filter((answer) => answer !== undefined);
  }
}

/** One thread's part of limits that hold for the router as a whole; requests in flight are counted together. */
function partOf(options: RouterOptions, threads: number): RouterOptions {
  const part = (whole: number): number => Math.ceil(whole / threads);
  return {
    ...options,
    // One body must fit.
    bufferedBytesMax: Math.max(options.bodyBytesMax, part(options.bufferedBytesMax)),
    maxConnections: part(options.maxConnections),
    connectionsPerEndpoint: part(options.connectionsPerEndpoint),
    decisionCapacity: part(options.decisionCapacity),
    decisionBytesMax: part(options.decisionBytesMax),
  };
}

/** The port, if nobody has it; a free one for 0. */
async function freePort(host: string, port: number): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, exclusive: true }, resolve);
  });
  const { port: free } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return free;
}

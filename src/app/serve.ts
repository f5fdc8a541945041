import type { RouterConfig } from "../config/router-config.ts";
import type { Log } from "../core/log.ts";
import type { KvEventAccess } from "../datalayer/kv-event-subscriber.ts";
import type { LegsSettings } from "../dispatch/legs/legs-settings.ts";
import type { EndpointFeed } from "./endpoint-feed.ts";
import type { ConfigSource } from "./file-reload.ts";
import { type KvEventFlags, kvEventAccess } from "./kv-event-access.ts";
import { processClock, processNowMs } from "./process-clock.ts";
import type { RouterOptions } from "./router-options.ts";
import type { ThreadSettings } from "./router-threads.ts";
import { type Router, startRouter } from "./start-router.ts";
import { fitForThreads } from "./thread-fitness.ts";

/** What `serve` was asked for: one pool of real engines. */
export interface ServeSettings {
  readonly pool: { readonly namespace: string; readonly name: string };
  readonly config: RouterConfig;
  /** The configuration's file; it is watched for changes. */
  readonly source: ConfigSource;
  /** Undefined: the engines are asked what they serve. */
  readonly modelName: string | undefined;
  readonly feed: EndpointFeed;
  readonly kvEvents: KvEventFlags;
  readonly host: string;
  readonly port: number;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly seed: number;
  readonly isCorrectingMetrics: boolean;
  readonly prefillCandidates: number;
  /** How the router runs both legs of split requests; undefined leaves that to sidecars. */
  readonly legs?: LegsSettings | undefined;
  readonly options: RouterOptions;
  readonly log: Log;
  /** File that every input of the cores is written to. */
  readonly record?: string | undefined;
  /** Undefined: this thread routes. */
  readonly threads?: Omit<ThreadSettings, "clockStartMs"> | undefined;
}

/** Starts the router in front of engines that run already; throws ConfigError for what cannot be run. */
export async function startServe(settings: ServeSettings): Promise<Router> {
  const { pool, modelName, feed } = settings;
  const accessUnder = (changed: RouterConfig): KvEventAccess | undefined =>
    kvEventAccess(changed, settings.kvEvents);
  const { config, source } = settings.threads === undefined ? settings : fitted(settings);
  // What is wrong with it is told before anything runs.
  accessUnder(config);
  const clockStartMs = processNowMs();
  const spec = { key: pool.name, ...pool, config, modelName, source, feed };
  return await startRouter({
    ...settings,
    pools: [{ ...spec, kvEventAccess: accessUnder }],
    clock: processClock(clockStartMs),
    timeScale: 1,
    engines: undefined,
    threads: settings.threads && { ...settings.threads, clockStartMs },
  });
}

/** The same settings, if several threads may route by them, now and after each change of the file. */
function fitted(settings: ServeSettings): Pick<ServeSettings, "config" | "source"> {
  const { config, source, kvEvents } = settings;
  const fit = (changed: RouterConfig): RouterConfig =>
    fitForThreads(changed, { hasKvEvents: kvEventAccess(changed, kvEvents) !== undefined });
  return { config: fit(config), source: { ...source, load: (text) => fit(source.load(text)) } };
}

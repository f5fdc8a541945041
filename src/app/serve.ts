import type { RouterConfig } from "../config/router-config.ts";
import type { Log } from "../core/log.ts";
import type { KvEventAccess } from "../datalayer/kv-event-subscriber.ts";
import type { LegsSettings } from "../dispatch/legs/legs-settings.ts";
import { scaledClock } from "../engine-server/scaled-clock.ts";
import type { EndpointFeed } from "./endpoint-feed.ts";
import type { ConfigSource } from "./file-reload.ts";
import { type KvEventFlags, kvEventAccess } from "./kv-event-access.ts";
import type { RouterOptions } from "./router-options.ts";
import { type Router, startRouter } from "./start-router.ts";

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
}

/** Starts the router in front of engines that run already; throws ConfigError for KV events that cannot be read. */
export async function startServe(settings: ServeSettings): Promise<Router> {
  const { pool, config, modelName, source, feed } = settings;
  const accessUnder = (changed: RouterConfig): KvEventAccess | undefined =>
    kvEventAccess(changed, settings.kvEvents);
  // What is wrong with it is told before anything runs.
  accessUnder(config);
  const spec = { key: pool.name, ...pool, config, modelName, source, feed };
  return await startRouter({
    ...settings,
    pools: [{ ...spec, kvEventAccess: accessUnder }],
    clock: scaledClock(1),
    timeScale: 1,
    engines: undefined,
  });
}

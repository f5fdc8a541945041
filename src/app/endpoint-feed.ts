import type { ObjectiveEntry, RewriteEntry, RouterConfig } from "../config/router-config.ts";
import type { Json } from "../core/json.ts";
import type { Log } from "../core/log.ts";
import type { Meter } from "../core/meter.ts";
import type { EndpointDiff } from "../discovery/endpoint-set.ts";

/** Objects that belong to a pool and stand beside its configuration. */
export interface PoolObjectEntries {
  readonly objectives: readonly ObjectiveEntry[];
  readonly rewrites: readonly RewriteEntry[];
}

/** A file's configuration with a feed's objects: of two with one name the file's comes first, and so do its rules. */
export function withObjects(written: RouterConfig, objects: PoolObjectEntries): RouterConfig {
  return {
    ...written,
    objectives: [...written.objectives, ...objects.objectives],
    rewrites: [...written.rewrites, ...objects.rewrites],
  };
}

/** What a feed tells its pool, and with what it counts and logs. */
export interface FeedPorts {
  endpoints(diff: EndpointDiff): void;
  /** The objects as they are now; they count beside those of the configuration file. */
  objects(objects: PoolObjectEntries): void;
  readonly log: Log;
  readonly meter: Meter;
}

/** Where the endpoints of a pool come from, for as long as the program runs. */
export interface EndpointFeed {
  /** Called once, before any request comes. */
  start(ports: FeedPorts): void;
  /** Whether the endpoints are those of a pool that exists: before, nobody should be sent here. */
  isSynced(): boolean;
  /** What `/api/config` shows. */
  describe(): Json;
  close(): Promise<void>;
}

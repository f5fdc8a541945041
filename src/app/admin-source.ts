import { describeConfig } from "../config/describe-config.ts";
import type { Json } from "../core/json.ts";
import type { Telemetry } from "../telemetry/create-telemetry.ts";
import type { AdminSource } from "./admin-api.ts";
import { describeEndpoints } from "./describe-endpoint.ts";
import type { EventStream } from "./event-stream.ts";
import type { LivePool } from "./router-pool.ts";
import type { RouterThreads } from "./router-threads.ts";
import type { RouterSettings } from "./start-router.ts";
import type { ThreadRings } from "./thread-protocol.ts";

/** What the admin API shows of a router; where threads route, they are asked. */
export function adminSource(
  pools: readonly LivePool[],
  parts: {
    settings: RouterSettings;
    telemetry: Telemetry;
    events: EventStream;
    threads: RouterThreads | undefined;
  },
): AdminSource {
  const { settings, telemetry, events, threads } = parts;
  return {
    readiness: () => ({
      isReady: pools.every((pool) => pool.hasReadyEndpoint()),
      pools: Object.fromEntries(pools.map((pool) => [pool.key, pool.hasReadyEndpoint()])),
    }),
    metrics: async () => telemetry.expose(await threads?.snapshots()),
    endpoints: () =>
      pools.flatMap((pool) =>
        describeEndpoints(pool.key, pool.core.endpoints, {
          kvStream: (slot) => pool.kvStream(slot),
          nowMs: settings.clock.nowMs(),
        }),
      ),
    config: async () => ({
      options: { ...settings.options },
      election: settings.describeElection?.() ?? null,
      pools: await configsOf(pools, threads),
    }),
    decisions: async (limit) =>
      (
        (await threads?.decisions(limit)) ??
        pools.flatMap((pool) => pool.state.decisions.latest(limit))
      )
        .toSorted((left, right) => right.atMs - left.atMs)
        .slice(0, limit),
    async decision(id) {
      const at = id.lastIndexOf(".");
      const pool = pools.find((candidate) => candidate.key === id.slice(0, at));
      const number = Number(id.slice(at + 1));
      if (pool === undefined || !Number.isSafeInteger(number)) return undefined;
      return threads === undefined
        ? pool.state.decisions.read(number)
        : await threads.decision(pool.key, number);
    },
    events,
    engines: settings.engines,
  };
}

async function configsOf(
  pools: readonly LivePool[],
  threads: RouterThreads | undefined,
): Promise<Json> {
  const rings = await threads?.rings();
  return pools.map((pool) => ({
    pool: pool.key,
    model: pool.spec.modelName ?? null,
    config: describeConfig(pool.config),
    lastReload: pool.lastReload,
    unreadableConfig: pool.unreadableConfig,
    endpoints: pool.spec.feed?.describe() ?? null,
    plugins: pool.state.graph.dumpPlugins(),
    inFlight: pool.core.inFlightCount,
    decisions: ringOf(pool, rings),
  }));
}

/** Size of a pool's ring, or of those of all threads. */
function ringOf(
  { key, state: { decisions } }: LivePool,
  threadRings: readonly ThreadRings[] | undefined,
): Json {
  const { count, sizeBytes } = decisions;
  if (threadRings === undefined) return { count, sizeBytes };
  const rings = threadRings.flatMap((ring) => ring[key] ?? []);
  return {
    count: rings.reduce((sum, ring) => sum + ring.count, 0),
    sizeBytes: rings.reduce((sum, ring) => sum + ring.sizeBytes, 0),
  };
}

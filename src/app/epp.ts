import type { RouterConfig } from "../config/router-config.ts";
import { durationMs } from "../core/duration.ts";
import type { Log } from "../core/log.ts";
import { DEFAULT_ENGINE_ACCESS, type EngineAccess } from "../datalayer/endpoint-clients.ts";
import type { KvEventAccess } from "../datalayer/kv-event-subscriber.ts";
import {
  type Election,
  type ElectionOptions,
  startElection,
} from "../discovery/leader-election.ts";
import { scaledClock } from "../engine-server/scaled-clock.ts";
import { DEFAULT_DESTINATION_HINT } from "../front/extproc/extproc-context.ts";
import { type ExtProcFront, startExtProc } from "../front/extproc/start-extproc.ts";
import { ciphersOf } from "./cipher-suites.ts";
import type { EndpointFeed } from "./endpoint-feed.ts";
import { endpointScores } from "./endpoint-scores.ts";
import type { EppFlags } from "./epp-flags.ts";
import type { ConfigSource } from "./file-reload.ts";
import { isOn, quantityBytes } from "./flag-values.ts";
import { type KvEventFlags, kvEventAccess } from "./kv-event-access.ts";
import { DEFAULT_ROUTER_OPTIONS, type RouterOptions } from "./router-options.ts";
import type { LivePool } from "./router-pool.ts";
import { followIdentity, readIdentity, type ServerIdentity } from "./server-identity.ts";
import { type FrontParts, type OpenFront, type Router, startRouter } from "./start-router.ts";

/** What `epp` was asked for. */
export interface EppSettings {
  readonly flags: EppFlags;
  /** Namespace of the pool where no flag names one. */
  readonly namespace: string;
  readonly config: RouterConfig;
  /** The configuration's file, which is watched for changes. */
  readonly source: ConfigSource | undefined;
  readonly feed: EndpointFeed;
  /** Undefined: this picker leads whatever others do. */
  readonly election: Omit<ElectionOptions, "log"> | undefined;
  readonly log: Log;
}

/** A running endpoint picker. */
export interface RunningEpp {
  readonly port: number;
  readonly healthPort: number;
  readonly metricsPort: number;
  /** Where the certificate is from; undefined in plaintext. */
  readonly certificate: ServerIdentity["origin"] | undefined;
  readonly router: Router;
  /** Health turns NOT_SERVING, exchanges under way end, everything closes. */
  drain(): Promise<void>;
}

/** gRPC's own limit (llm-d). */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

/** Starts the picker; rejects, with nothing left running, for a bad certificate or a port that cannot be had. */
export async function startEpp(settings: EppSettings): Promise<RunningEpp> {
  const { flags, config, source, feed, log } = settings;
  const { given } = flags;
  const accessUnder = (changed: RouterConfig): KvEventAccess | undefined =>
    kvEventAccess(changed, kvEventFlags(flags));
  // What is wrong with it is told before anything runs.
  accessUnder(config);
  const folder = given.get("cert-path");
  const isSecure = isOn(given.get("secure-serving"), true);
  const identity = isSecure ? await readIdentity(folder, log) : undefined;
  const name = given.get("pool-name") ?? "pool";
  const opened = Promise.withResolvers<ExtProcFront>();
  let election: Election | undefined;
  const isLeading = (): boolean =>
    settings.election === undefined || election?.isLeading() === true;
  const openFront: OpenFront = async (parts) => {
    const isSettled = settled(parts.pools[0] as LivePool, feed, parts.limits.probeTimeoutMs);
    const isReady = (): boolean => isSettled() && isLeading();
    const front = await openExtProc(parts, { flags, identity, isReady });
    opened.resolve(front);
    return front;
  };
  const host = given.get("host") ?? "";
  const router = await startRouter(
    {
      host,
      port: portOf(flags, "grpc-port", 9002),
      adminHost: host,
      adminPort: portOf(flags, "metrics-port", 9090),
      pools: [
        {
          key: name,
          namespace: given.get("pool-namespace") ?? settings.namespace,
          name,
          config,
          modelName: given.get("model"),
          access: accessOf(flags),
          kvEventAccess: accessUnder,
          source,
          feed,
        },
      ],
      clock: scaledClock(1),
      timeScale: 1,
      seed: Math.floor(Math.random() * 2 ** 32),
      prefillCandidates: Number(given.get("prefill-candidates") ?? 1),
      isCorrectingMetrics: true,
      engines: undefined,
      log,
      options: optionsOf(flags),
      describeElection: () => election?.describe() ?? null,
    },
    openFront,
  );
  if (settings.election !== undefined) election = startElection({ ...settings.election, log });
  const front = await opened.promise;
  const isFollowed = identity?.origin === "files" && isOn(given.get("enable-cert-reload"), false);
  const following =
    isFollowed && folder !== undefined
      ? followIdentity(folder, identity, { log, use: (next) => front.useTls(next) })
      : undefined;
  return {
    port: front.port,
    healthPort: front.healthPort,
    metricsPort: router.adminPort,
    certificate: identity?.origin,
    router,
    async drain() {
      following?.close();
      // The lease is given up at once: another takes over while exchanges here go on.
      await Promise.all([election?.close(), router.drain()]);
    },
  };
}

function openExtProc(
  parts: FrontParts,
  {
    flags,
    identity,
    isReady,
  }: { flags: EppFlags; identity: ServerIdentity | undefined; isReady: () => boolean },
): Promise<ExtProcFront> {
  const { given } = flags;
  const pool = parts.pools[0] as LivePool;
  const isV13 = given.get("tls-min-version") === "VersionTLS13";
  return startExtProc({
    ...parts,
    pool,
    host: given.get("host") ?? "",
    port: portOf(flags, "grpc-port", 9002),
    healthPort: portOf(flags, "grpc-health-port", 9003),
    tls: identity && {
      ...identity,
      minVersion: isV13 ? "TLSv1.3" : "TLSv1.2",
      ciphers: ciphersOf(given.get("tls-cipher-suites") ?? ""),
    },
    messageBytesMax: quantityBytes(given.get("grpc-max-recv-msg-size") ?? "") ?? MESSAGE_BYTES_MAX,
    hasHealthOnPort: isOn(given.get("health-checking"), false),
    destination: {
      key: given.get("destination-endpoint-hint-key") ?? DEFAULT_DESTINATION_HINT.key,
      namespace:
        given.get("destination-endpoint-hint-metadata-namespace") ??
        DEFAULT_DESTINATION_HINT.namespace,
    },
    scoresOf: isOn(given.get("emit-endpoint-scores"), false)
      ? (decision) => endpointScores(pool.state, decision)
      : undefined,
    isSubsetObeyed: !isOn(given.get("disable-endpoint-subset-filter"), false),
    isReady,
  });
}

/**
 * Ready while the pool is known, and once some endpoint is ready or each was asked: a pool that is down is
 * answered 503, not left out.
 */
function settled(pool: LivePool, feed: EndpointFeed, probeTimeoutMs: number): () => boolean {
  let fromMs: number | undefined;
  let isSettled = false;
  return () => {
    if (!feed.isSynced()) return false;
    fromMs ??= performance.now() + probeTimeoutMs;
    isSettled ||= pool.hasReadyEndpoint() || performance.now() >= fromMs;
    return isSettled;
  };
}

function optionsOf({ given, limits }: EppFlags): RouterOptions {
  const drainTimeoutMs = durationMs(given.get("drain-timeout") ?? "");
  const scrapeIntervalMs = durationMs(given.get("refresh-metrics-interval") ?? "");
  return {
    ...DEFAULT_ROUTER_OPTIONS,
    ...(drainTimeoutMs === undefined ? {} : { drainTimeoutMs }),
    ...(scrapeIntervalMs === undefined ? {} : { scrapeIntervalMs: Math.max(1, scrapeIntervalMs) }),
    ...limits,
  };
}

function accessOf({ given }: EppFlags): EngineAccess {
  return {
    scheme: given.get("model-server-metrics-scheme") === "https" ? "https" : "http",
    isVerifying: !isOn(given.get("model-server-metrics-https-insecure-skip-verify"), true),
    metricsPath: given.get("model-server-metrics-path") ?? DEFAULT_ENGINE_ACCESS.metricsPath,
    metricsPort: portOf({ given }, "model-server-metrics-port", 0),
  };
}

function kvEventFlags({ given }: EppFlags): KvEventFlags {
  // 0 is no port to connect to.
  const port = (name: string): number | undefined => Number(given.get(name) ?? 0) || undefined;
  return {
    port: port("kv-events-port"),
    replayPort: port("kv-events-replay-port"),
    topicFilter: given.get("kv-events-topic"),
  };
}

function portOf({ given }: Pick<EppFlags, "given">, name: string, unlessGiven: number): number {
  return Number(given.get(name) ?? unlessGiven);
}

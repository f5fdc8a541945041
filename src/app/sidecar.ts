import { ConfigError } from "../core/config-error.ts";
import { durationMs } from "../core/duration.ts";
import type { Log } from "../core/log.ts";
import type { LegsSettings } from "../dispatch/legs/legs-settings.ts";
import type { UpstreamTls } from "../dispatch/upstream.ts";
import { scaledClock } from "../engine-server/scaled-clock.ts";
import { type Sidecar, type SidecarOptions, startSidecar } from "../sidecar/start-sidecar.ts";
import { SidecarTelemetry } from "../telemetry/sidecar-telemetry.ts";
import { ciphersOf } from "./cipher-suites.ts";
import { isOn } from "./flag-values.ts";
import { LEGS_CHOICES, legsSettings } from "./legs-options.ts";
import { type MetricsServer, startMetricsServer } from "./metrics-server.ts";
import { openPrefillTargets } from "./prefill-targets.ts";
import { followIdentity, readIdentity, type ServerIdentity } from "./server-identity.ts";
import { isStageOn } from "./sidecar-flag-table.ts";

/** What `sidecar` was asked for. */
export interface SidecarSettings {
  /** Values of its flags. */
  readonly given: ReadonlyMap<string, string>;
  /** Text of `--endpoints`, in llm-d's `file-discovery` format. */
  readonly endpointsFile: { readonly text: string; readonly file: string } | undefined;
  /** Ends the wait for a pool that is not known yet. */
  readonly stop: AbortSignal;
  readonly log: Log;
}

/** A running sidecar. */
export interface RunningSidecar {
  /** Ports of the ranks in their order. */
  readonly ports: readonly number[];
  /** Undefined without metrics. */
  readonly metricsPort: number | undefined;
  /** Where the certificate is from; undefined in plaintext. */
  readonly certificate: ServerIdentity["origin"] | undefined;
  /** Takes no new requests and ends when those under way have, or when their time is over. */
  drain(): Promise<void>;
}

const DEFAULT_PORT = 8000;
const DEFAULT_ENGINE_PORT = 8200;
const PORT_MAX = 65_535;
const DRAIN_TIMEOUT_MS = 30_000;

/**
 * Starts the sidecar once it is known whom it may ask; rejects, with nothing left running, for flags that do
 * not fit or a port that cannot be had. Undefined when it was stopped before.
 */
export async function startSidecarProgram(
  settings: SidecarSettings,
): Promise<RunningSidecar | undefined> {
  const { given, log } = settings;
  const ports = portsOf(given);
  const folder = given.get("cert-path") || undefined;
  const isSecure = isOn(given.get("secure-serving"), true);
  const identity = isSecure ? await readIdentity(folder, log) : undefined;
  const telemetry = new SidecarTelemetry();
  const targets = await openPrefillTargets({ ...settings, meter: telemetry.meter });
  let metrics: MetricsServer | undefined;
  const close = async (): Promise<void> => {
    await Promise.all([targets.close(), metrics?.close()]);
  };
  let sidecar: Sidecar;
  try {
    metrics = await metricsServer(given, telemetry);
    await targets.known(settings.stop);
    if (settings.stop.aborted) {
      await close();
      return undefined;
    }
    sidecar = await startSidecar({
      ...optionsOf(given, { ports, identity }),
      isPrefillAllowed: targets.isAllowed,
      log,
      observer: telemetry,
    });
  } catch (error) {
    await close();
    throw error;
  }
  const following =
    identity?.origin === "files" && folder !== undefined
      ? followIdentity(folder, identity, { log, use: (next) => sidecar.useTls(next) })
      : undefined;
  const drainMs = durationMs(given.get("drain-timeout") ?? "") ?? DRAIN_TIMEOUT_MS;
  return {
    ports: sidecar.ports,
    metricsPort: metrics?.port,
    certificate: identity?.origin,
    async drain() {
      following?.close();
      const late = setTimeout(() => void sidecar.close(), drainMs);
      await sidecar.drain();
      clearTimeout(late);
      await close();
    },
  };
}

function optionsOf(
  given: ReadonlyMap<string, string>,
  { ports, identity }: { ports: Ports; identity: ServerIdentity | undefined },
): Omit<SidecarOptions, "isPrefillAllowed" | "log" | "observer"> {
  const { port, enginePort, rankCount } = ports;
  const isV13 = given.get("tls-min-version") === "VersionTLS13";
  return {
    host: given.get("host") ?? "",
    port,
    engine: { host: "localhost", port: enginePort, tls: tlsOf(given, "decoder") },
    rankCount,
    legs: legsOf(given),
    isSampling: isOn(given.get("enable-prefiller-sampling"), false),
    tls: identity && {
      ...identity,
      minVersion: isV13 ? "TLSv1.3" : "TLSv1.2",
      ciphers: ciphersOf(given.get("tls-cipher-suites") ?? ""),
    },
    clock: scaledClock(1),
    timeScale: 1,
  };
}

interface Ports {
  readonly port: number;
  readonly enginePort: number;
  readonly rankCount: number;
}

/** Ports of the first rank; those of the others follow them. */
function portsOf(given: ReadonlyMap<string, string>): Ports {
  const port = Number(given.get("port") ?? DEFAULT_PORT);
  const enginePort = Number(given.get("model-server-port") ?? DEFAULT_ENGINE_PORT);
  const rankCount = Number(given.get("data-parallel-size") ?? 1);
  if (Math.max(port, enginePort) + rankCount - 1 > PORT_MAX) {
    const message = `${rankCount} ranks need as many ports in a row, up to ${PORT_MAX}`;
    throw new ConfigError([{ path: "--data-parallel-size", message }]);
  }
  return { port, enginePort, rankCount };
}

function metricsServer(
  given: ReadonlyMap<string, string>,
  telemetry: SidecarTelemetry,
): Promise<MetricsServer> | undefined {
  const port = Number(given.get("metrics-port") ?? 0);
  if (port === 0) return undefined;
  return startMetricsServer(() => telemetry.expose(), { host: given.get("host") ?? "", port });
}

function legsOf(given: ReadonlyMap<string, string>): LegsSettings {
  const numberOf = (flag: string): number | undefined =>
    given.has(flag) ? Number(given.get(flag)) : undefined;
  const { connectors, fallbacks } = LEGS_CHOICES;
  const settings = legsSettings({
    connector: connectors.find((name) => name === given.get("kv-connector")),
    sglangBootstrapPort: numberOf("sglang-bootstrap-port"),
    fallback: fallbacks.find((name) => name === given.get("prefill-fallback")),
    prefillTimeoutMs: durationMs(given.get("prefill-timeout") ?? ""),
    prefillRetryLimit: numberOf("prefill-max-retries"),
    prefillRetryBackoffMs: durationMs(given.get("prefill-retry-backoff") ?? ""),
  });
  return { ...settings, prefillTls: tlsOf(given, "prefiller") };
}

function tlsOf(
  given: ReadonlyMap<string, string>,
  stage: "prefiller" | "decoder",
): UpstreamTls | undefined {
  if (!isStageOn(given, stage, { list: "enable-tls", older: "use-tls" })) return undefined;
  const skip = { list: "tls-insecure-skip-verify", older: "tls-insecure-skip-verify" };
  return { isVerifying: !isStageOn(given, stage, skip) };
}

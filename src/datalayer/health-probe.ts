import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import type { EndpointClients } from "./endpoint-clients.ts";
import { FailureLog } from "./failure-log.ts";
import { type FollowedEndpoint, followEndpoints } from "./follow-endpoints.ts";
import { wallInterval } from "./wall-interval.ts";

/** Where verdicts go: `RouterCore` is one. */
export interface HealthPort {
  health(slot: number, isReady: boolean, nowMs: number): void;
}

/** What a prober is made of. */
export interface HealthProbeOptions {
  readonly core: HealthPort;
  readonly table: EndpointTable;
  /** Engine seconds a wall second. */
  readonly timeScale: number;
  readonly clients: EndpointClients;
  readonly clock: Clock;
  readonly log: Log;
}

/** A running prober. */
export interface HealthProbe {
  close(): Promise<void>;
}

/** Engine milliseconds between two probes of an endpoint, before jitter. */
const INTERVAL_MS = 1000;

/** Engine milliseconds between two probes of one that stays away. */
const BACKOFF_MS_MAX = 10_000;

/** Probes in a row that a ready endpoint may fail: one slow answer under load is no outage. */
const FAILURES_MAX = 3;

/** Share by which intervals vary, so that probes of many endpoints do not march in step. */
const JITTER_RATIO = 0.2;

/**
 * Asks each endpoint for `GET /health`: 200 makes it ready, failures in a row make it not. An endpoint that
 * dispatch took out after a connect error comes back by its next good probe.
 */
export function startHealthProbe(options: HealthProbeOptions): HealthProbe {
  const { table } = options;
  return followEndpoints({ table, follow: (endpoint) => probeLoop(endpoint, options) });
}

async function probeLoop(endpoint: FollowedEndpoint, options: HealthProbeOptions): Promise<void> {
  const { core, table, clock, timeScale } = options;
  const { slot, signal } = endpoint;
  await using client = options.clients.open(endpoint.address);
  const failures = new FailureLog(options.log, "health", endpoint.id);
  while (endpoint.isCurrent()) {
    try {
      await client.get("/health", signal);
      failures.succeeded();
    } catch (error) {
      if (endpoint.isCurrent()) failures.failed(error);
    }
    if (!endpoint.isCurrent()) return;
    const isGood = failures.failureCount === 0;
    const isReady = table.isReady(slot);
    if (isGood && !isReady) core.health(slot, true, clock.nowMs());
    if (isReady && failures.failureCount >= FAILURES_MAX) core.health(slot, false, clock.nowMs());
    await endpoint.pause(wallInterval(jittered(intervalMs(failures.failureCount)), timeScale));
  }
}

/** Steady until an endpoint is out, then doubling. */
function intervalMs(failureCount: number): number {
  return Math.min(BACKOFF_MS_MAX, INTERVAL_MS * 2 ** Math.max(0, failureCount - FAILURES_MAX));
}

function jittered(ms: number): number {
  return ms * (1 + JITTER_RATIO * (Math.random() - 0.5));
}

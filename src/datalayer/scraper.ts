import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { EndpointTable, MetricSample } from "../endpoints/endpoint-table.ts";
import { DEFAULT_ENGINE_ACCESS, type EngineAccess } from "./endpoint-client.ts";
import { type ConsumedMetrics, type EngineReader, vllmReader } from "./engine-metrics.ts";
import { FailureLog } from "./failure-log.ts";
import { type FollowedEndpoint, followEndpoints } from "./follow-endpoints.ts";
import { wallInterval } from "./wall-interval.ts";

/** Wall milliseconds within which a new endpoint is scraped for the first time. */
const FIRST_WITHIN_MS = 200;

/** Where samples go: `RouterCore` is one. */
export interface MetricsPort {
  metrics(slot: number, sample: MetricSample, nowMs: number): void;
}

/** What a scraper is made of. */
export interface ScraperOptions {
  readonly core: MetricsPort;
  readonly table: EndpointTable;
  /** What some plugin reads; the rest is not read out of the text. */
  readonly consumes: ConsumedMetrics;
  /** Engine milliseconds from the start of one scrape of an endpoint to the next. */
  readonly intervalMs: number;
  /** Engine seconds a wall second. */
  readonly timeScale: number;
  /** Wall milliseconds that one scrape may take. */
  readonly timeoutMs: number;
  readonly access?: EngineAccess | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** A running scraper. */
export interface Scraper {
  /** Scrapes that gave nothing, since the start. */
  readonly failureCount: number;
  close(): Promise<void>;
}

/** Keeps the columns of the table near what the engines expose; a failed scrape leaves the old values. */
export function startScraper(options: ScraperOptions): Scraper {
  const { table, timeoutMs, access } = options;
  const reader = vllmReader(options.consumes);
  const state = { failureCount: 0 };
  const following = followEndpoints({
    table,
    timeoutMs,
    access,
    port: access?.metricsPort ?? 0,
    follow: (endpoint) => scrapeLoop(endpoint, reader, options, state),
  });
  return {
    get failureCount() {
      return state.failureCount;
    },
    close: () => following.close(),
  };
}

async function scrapeLoop(
  endpoint: FollowedEndpoint,
  reader: EngineReader,
  options: ScraperOptions,
  state: { failureCount: number },
): Promise<void> {
  const { core, clock, intervalMs, timeScale, access = DEFAULT_ENGINE_ACCESS } = options;
  const { metricsPath: path } = access;
  const wallMs = wallInterval(intervalMs, timeScale);
  const failures = new FailureLog(options.log, "scrape", endpoint.id);
  // Of a new endpoint nothing is known, so its first scrape is soon; a random second one then spreads
  // the endpoints over the interval.
  await endpoint.pause(Math.random() * Math.min(FIRST_WITHIN_MS, wallMs));
  let share = Math.random();
  while (endpoint.isCurrent()) {
    const startedWallMs = performance.now();
    const startedAtMs = clock.nowMs();
    try {
      const { values, lora } = reader(await endpoint.client.get(path));
      if (values.size === 0) throw new Error("no known metric in the answer");
      if (endpoint.isCurrent()) {
        core.metrics(endpoint.slot, { startedAtMs, values, lora }, clock.nowMs());
      }
      failures.succeeded();
    } catch (error) {
      if (!endpoint.isCurrent()) return;
      state.failureCount++;
      failures.failed(error);
    }
    await endpoint.pause(Math.max(0, share * wallMs - (performance.now() - startedWallMs)));
    share = 1;
  }
}

import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Meter } from "../core/meter.ts";
import type { EndpointTable, MetricSample } from "../endpoints/endpoint-table.ts";
import { inFlightRequests } from "../endpoints/numeric-attribute.ts";
import type { EndpointClients } from "./endpoint-clients.ts";
import {
  type ConsumedMetrics,
  type EngineReader,
  type EngineReading,
  type EngineType,
  engineReader,
  engineTypeOf,
} from "./engine-metrics.ts";
import { FailureLog } from "./failure-log.ts";
import { type FollowedEndpoint, followEndpoints } from "./follow-endpoints.ts";
import { wallInterval } from "./wall-interval.ts";

/** Wall milliseconds within which a new endpoint is scraped for the first time. */
const FIRST_WITHIN_MS = 200;

/** An endpoint at rest is scraped each so many intervals; work sent to it is seen at the next one. */
const INTERVALS_AT_REST = 5;

/** llm-d's types of what scrapes here, as its metrics name them. */
const SOURCE = { source_type: "metrics-data-source" };
const EXTRACTOR = { ...SOURCE, extractor_type: "core-metrics-extractor" };

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
  readonly clients: EndpointClients;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
}

/** A running scraper. */
export interface Scraper {
  /** Scrapes that gave nothing, since the start. */
  readonly failureCount: number;
  close(): Promise<void>;
}

/** Keeps the columns of the table near what the engines expose; a failed scrape leaves the old values. */
export function startScraper(options: ScraperOptions): Scraper {
  const { table } = options;
  const readers = new Map<EngineType, EngineReader>();
  const readerOf = (type: EngineType): EngineReader => {
    const reader = readers.get(type) ?? engineReader(type, options.consumes);
    readers.set(type, reader);
    return reader;
  };
  const state = { failureCount: 0 };
  const following = followEndpoints({
    table,
    follow: (endpoint) => scrapeLoop(endpoint, readerOf, options, state),
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
  readerOf: (type: EngineType) => EngineReader,
  options: ScraperOptions,
  state: { failureCount: number },
): Promise<void> {
  const { core, table, clock, clients, intervalMs, timeScale, meter } = options;
  const { slot, signal } = endpoint;
  const wallMs = wallInterval(intervalMs, timeScale);
  const failures = new FailureLog(options.log, "scrape", endpoint.id);
  const rest = new Rest(table, slot);
  await using client = clients.openMetrics(endpoint.address);
  // Of a new endpoint nothing is known, so its first scrape is soon; a random second one then spreads
  // the endpoints over the interval.
  await endpoint.pause(Math.random() * Math.min(FIRST_WITHIN_MS, wallMs));
  let share = Math.random();
  let isMissingLogged = false;
  while (endpoint.isCurrent()) {
    const startedWallMs = performance.now();
    const startedAtMs = clock.nowMs();
    try {
      const type = engineTypeOf(table.labels(slot));
      const reading = readerOf(type)(await client.get(clients.metricsPath, signal));
      const { values, lora, missing } = reading;
      if (values.size === 0) throw new Error(`no known metric of ${type} in the answer`);
      if (missing.length > 0) meter.count("metrics-missing", EXTRACTOR, missing.length);
      if (missing.length > 0 && !isMissingLogged) {
        isMissingLogged = true;
        options.log.warn("metrics-missing", { endpoint: endpoint.id, engine: type, missing });
      }
      if (endpoint.isCurrent()) core.metrics(slot, { startedAtMs, values, lora }, clock.nowMs());
      failures.succeeded();
      rest.seen(reading);
    } catch (error) {
      if (!endpoint.isCurrent()) return;
      state.failureCount++;
      meter.count("scrape-failures", SOURCE);
      failures.failed(error);
      rest.seen(undefined);
    }
    do {
      await endpoint.pause(Math.max(0, share * wallMs - (performance.now() - startedWallMs)));
      share++;
    } while (endpoint.isCurrent() && rest.lasts(share));
    share = 1;
  }
}

/** Whether an endpoint does nothing: two readings are equal and this router sent it nothing since. */
class Rest {
  readonly #table: EndpointTable;
  readonly #slot: number;
  #last: EngineReading | undefined;
  #isSame = false;

  constructor(table: EndpointTable, slot: number) {
    this.#table = table;
    this.#slot = slot;
  }

  seen(reading: EngineReading | undefined): void {
    this.#isSame = reading !== undefined && isDeepStrictEqual(reading, this.#last);
    this.#last = reading;
  }

  /** Whether the scrape after so many intervals may be left out. */
  lasts(intervals: number): boolean {
    if (!this.#isSame || intervals > INTERVALS_AT_REST) return false;
    const inFlight = this.#table.column(inFlightRequests)[this.#slot] ?? 0;
    return !(inFlight > 0);
  }
}

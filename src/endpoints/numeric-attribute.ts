/** A column of the endpoint table. NaN in it means unknown. */
export interface NumericAttribute {
  readonly name: string;
  readonly unit: "count" | "ratio" | "tokens" | "ms";
  /** Who fills it: engines' metrics by scraping, or this router's own bookkeeping. */
  readonly source: "scrape" | "router";
  /** Among the columns: `NUMERIC_ATTRIBUTES` has it there. */
  readonly place: number;
}

/** Requests waiting in the engine: last scrape, plus what was sent since and has no first byte yet. */
export const waitingQueueDepth: NumericAttribute = {
  name: "waitingQueueDepth",
  unit: "count",
  source: "scrape",
  place: 0,
};

/** Requests in the engine's running batch, as last scraped. */
export const runningRequests: NumericAttribute = {
  name: "runningRequests",
  unit: "count",
  source: "scrape",
  place: 1,
};

/** Share of KV-cache blocks in use, 0..1: last scrape, plus the prompts sent since. */
export const kvCacheUsage: NumericAttribute = {
  name: "kvCacheUsage",
  unit: "ratio",
  source: "scrape",
  place: 2,
};

/** KV-cache blocks of the engine (`num_gpu_blocks`). */
export const kvBlockCount: NumericAttribute = {
  name: "kvBlockCount",
  unit: "count",
  source: "scrape",
  place: 3,
};

/** Tokens in one KV-cache block (`block_size`). */
export const kvBlockTokens: NumericAttribute = {
  name: "kvBlockTokens",
  unit: "tokens",
  source: "scrape",
  place: 4,
};

/** Requests that this router sent and that have not ended. */
export const inFlightRequests: NumericAttribute = {
  name: "inFlightRequests",
  unit: "count",
  source: "router",
  place: 5,
};

/** Tokens of this router's requests that their endpoint has not begun to answer: prompt not cached there. */
export const inFlightTokens: NumericAttribute = {
  name: "inFlightTokens",
  unit: "tokens",
  source: "router",
  place: 6,
};

/** `waitingQueueDepth` exactly as the engine reported it. */
export const scrapedWaitingQueueDepth: NumericAttribute = {
  name: "scrapedWaitingQueueDepth",
  unit: "count",
  source: "scrape",
  place: 7,
};

/** `kvCacheUsage` exactly as the engine reported it. */
export const scrapedKvCacheUsage: NumericAttribute = {
  name: "scrapedKvCacheUsage",
  unit: "ratio",
  source: "scrape",
  place: 8,
};

/** When the last scrape that gave a value began, on the router's clock. */
export const scrapedAtMs: NumericAttribute = {
  name: "scrapedAtMs",
  unit: "ms",
  source: "router",
  place: 9,
};

/** Every column that the table holds. */
export const NUMERIC_ATTRIBUTES: readonly NumericAttribute[] = [
  waitingQueueDepth,
  runningRequests,
  kvCacheUsage,
  kvBlockCount,
  kvBlockTokens,
  inFlightRequests,
  inFlightTokens,
  scrapedWaitingQueueDepth,
  scrapedKvCacheUsage,
  scrapedAtMs,
];

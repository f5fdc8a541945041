import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import {
  inFlightRequests,
  inFlightTokens,
  kvCacheUsage,
  type NumericAttribute,
  runningRequests,
  scrapedWaitingQueueDepth,
  waitingQueueDepth,
} from "../endpoints/numeric-attribute.ts";
import type { Instruments } from "./instruments.ts";
import type { MetricKey } from "./metric-table.ts";

/** A pool as its gauges need it. */
export interface PoolView {
  readonly name: string;
  readonly endpoints: EndpointTable;
  readonly indexes: readonly IndexView[];
  /** Endpoints whose KV events are read. */
  readonly kvSubscriberCount: number;
}

/** A prefix index of one plugin. */
export interface IndexView {
  readonly pluginName: string;
  readonly pluginType: string;
  readonly sizeBytes: number;
  readonly blockCount: number;
}

const GAUGES: readonly MetricKey[] = [
  "averageKvUsage",
  "averageQueue",
  "averageRunning",
  "stdDevKvUsage",
  "stdDevQueue",
  "stdDevRunning",
  "readyEndpoints",
  "endpointQueue",
  "inFlightRequests",
  "inFlightTokens",
  "inFlight",
  "indexSize",
  "indexBytes",
  "kvSubscribers",
];

/** Reads the endpoint tables into the gauges; unknown values are left out, not counted as idle. */
export function readPoolGauges(pools: readonly PoolView[], instruments: Instruments): void {
  for (const key of GAUGES) instruments.clear(key);
  for (const pool of pools) {
    const { name, endpoints } = pool;
    const ready = readySlots(endpoints);
    instruments.set("readyEndpoints", { name }, ready.length);
    const spread = (attribute: NumericAttribute, average: MetricKey, deviation: MetricKey): void =>
      setSpread(instruments, name, knownValues(endpoints, ready, attribute), average, deviation);
    spread(kvCacheUsage, "averageKvUsage", "stdDevKvUsage");
    spread(waitingQueueDepth, "averageQueue", "stdDevQueue");
    spread(runningRequests, "averageRunning", "stdDevRunning");
    setEndpoints(instruments, pool);
    instruments.set("kvSubscribers", { name }, pool.kvSubscriberCount);
    for (const index of pool.indexes) {
      const labels = { plugin_name: index.pluginName, plugin_type: index.pluginType };
      instruments.shift("indexSize", labels, index.blockCount);
      instruments.shift("indexBytes", labels, index.sizeBytes);
    }
  }
}

function readySlots(endpoints: EndpointTable): readonly number[] {
  return slotsOf(endpoints).filter((slot) => endpoints.isReady(slot));
}

function slotsOf(endpoints: EndpointTable): readonly number[] {
  const slots = Array.from({ length: endpoints.slotCount }, (_, slot) => slot);
  return slots.filter((slot) => endpoints.isPresent(slot));
}

function knownValues(
  endpoints: EndpointTable,
  slots: readonly number[],
  attribute: NumericAttribute,
): readonly number[] {
  const column = endpoints.column(attribute);
  return slots.map((slot) => column[slot] ?? Number.NaN).filter((value) => !Number.isNaN(value));
}

function setSpread(
  instruments: Instruments,
  name: string,
  values: readonly number[],
  average: MetricKey,
  deviation: MetricKey,
): void {
  if (values.length === 0) return;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  instruments.set(average, { name }, mean);
  // The sample deviation (n − 1) as llm-d's; one value does not deviate.
  const variance = values.length === 1 ? 0 : squares / (values.length - 1);
  instruments.set(deviation, { name }, Math.sqrt(variance));
}

function setEndpoints(instruments: Instruments, { name, endpoints }: PoolView): void {
  const queue = endpoints.column(scrapedWaitingQueueDepth);
  const inFlight = endpoints.column(inFlightRequests);
  const tokens = endpoints.column(inFlightTokens);
  for (const slot of slotsOf(endpoints)) {
    const id = endpoints.id(slot);
    const depth = queue[slot] ?? Number.NaN;
    if (!Number.isNaN(depth)) {
      instruments.set("endpointQueue", { name, model_server_endpoint: id }, depth);
    }
    const running = orNone(inFlight[slot]);
    instruments.set("inFlight", { name, endpoint: id }, running);
    // llm-d's have no pool: endpoints of one name count together.
    instruments.shift("inFlightRequests", { endpoint_name: id }, running);
    instruments.shift("inFlightTokens", { endpoint_name: id }, orNone(tokens[slot]));
  }
}

/** Nothing was sent yet to an endpoint of which nothing is known. */
function orNone(value = Number.NaN): number {
  return Number.isNaN(value) ? 0 : value;
}

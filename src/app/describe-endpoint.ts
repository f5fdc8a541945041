import type { Json } from "../core/json.ts";
import type { KvStreamStatus } from "../datalayer/kv-event-subscriber.ts";
import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import { NUMERIC_ATTRIBUTES, scrapedAtMs } from "../endpoints/numeric-attribute.ts";

/** An endpoint's row of the table, as `/api/endpoints` shows it; unknown values are null. */
export function describeEndpoint(
  pool: string,
  table: EndpointTable,
  slot: number,
  parts: { readonly kvStream: KvStreamStatus | undefined; readonly nowMs: number },
): Json {
  const { kvStream, nowMs } = parts;
  const known = (value: number): number | null => (Number.isNaN(value) ? null : value);
  const scraped = table.column(scrapedAtMs)[slot] as number;
  return {
    pool,
    name: table.id(slot),
    address: table.address(slot),
    labels: table.labels(slot),
    isReady: table.isReady(slot),
    metricsAgeMs: known(nowMs - scraped),
    attributes: Object.fromEntries(
      NUMERIC_ATTRIBUTES.filter((attribute) => attribute !== scrapedAtMs).map((attribute) => [
        attribute.name,
        known(table.column(attribute)[slot] as number),
      ]),
    ),
    kvEvents: kvStream === undefined ? null : describeStream(kvStream, nowMs),
  };
}

/** `isConnected` alone is no flow: an engine that publishes nothing is connected, too. */
function describeStream(stream: KvStreamStatus, nowMs: number): Json {
  const { lastAtMs, lastSequence, ...rest } = stream;
  return {
    ...rest,
    lastSequence: lastSequence ?? null,
    ageMs: lastAtMs === undefined ? null : nowMs - lastAtMs,
  };
}

/** All endpoints of a table. */
export function describeEndpoints(
  pool: string,
  table: EndpointTable,
  parts: {
    readonly kvStream: (slot: number) => KvStreamStatus | undefined;
    readonly nowMs: number;
  },
): readonly Json[] {
  return Array.from({ length: table.slotCount }, (_, slot) => slot)
    .filter((slot) => table.isPresent(slot))
    .map((slot) => {
      const { kvStream, nowMs } = parts;
      return describeEndpoint(pool, table, slot, { kvStream: kvStream(slot), nowMs });
    });
}

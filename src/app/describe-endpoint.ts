import type { Json } from "../core/json.ts";
import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import { NUMERIC_ATTRIBUTES, scrapedAtMs } from "../endpoints/numeric-attribute.ts";

/** An endpoint's row of the table, as `/api/endpoints` shows it; unknown values are null. */
export function describeEndpoint(
  pool: string,
  table: EndpointTable,
  slot: number,
  nowMs: number,
): Json {
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
  };
}

/** All endpoints of a table. */
export function describeEndpoints(
  pool: string,
  table: EndpointTable,
  nowMs: number,
): readonly Json[] {
  return Array.from({ length: table.slotCount }, (_, slot) => slot)
    .filter((slot) => table.isPresent(slot))
    .map((slot) => describeEndpoint(pool, table, slot, nowMs));
}

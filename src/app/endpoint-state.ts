import { z } from "zod";
import { type EndpointId, endpointId } from "../core/brand.ts";
import { ConfigError } from "../core/config-error.ts";
import type { EndpointSpec } from "../endpoints/endpoint-table.ts";
import {
  kvBlockCount,
  kvBlockTokens,
  kvCacheUsage,
  NUMERIC_ATTRIBUTES,
  type NumericAttribute,
  runningRequests,
  waitingQueueDepth,
} from "../endpoints/numeric-attribute.ts";
import { faultsOf } from "../plugin/params.ts";

/** One endpoint with what is known of it, as `explain` is given it. */
export interface EndpointState {
  readonly spec: EndpointSpec;
  readonly isReady: boolean;
  readonly metricsAgeMs: number;
  readonly values: ReadonlyMap<NumericAttribute, number>;
  /** Leading bytes of the request's prompt that the router has sent there before. */
  readonly cachedPrefixBytes: number;
  /** Leading bytes that the engine reports by KV events; undefined when it reports none. */
  readonly reportedPrefixBytes: number | undefined;
}

/** What an engine reports; the router's own columns follow from it. */
const REPORTED = [waitingQueueDepth, runningRequests, kvCacheUsage, kvBlockCount, kvBlockTokens];

/** What can stand in a state file beside names. */
const attributes = z.strictObject(
  Object.fromEntries(
    NUMERIC_ATTRIBUTES.map((attribute) => [attribute.name, z.number().nullable().optional()]),
  ),
);

const schema = z.array(
  z.strictObject({
    name: z.string().min(1),
    pool: z.string().optional(),
    address: z.string().default("0.0.0.0:0"),
    labels: z.record(z.string(), z.string()).default({}),
    isReady: z.boolean().default(true),
    metricsAgeMs: z.number().min(0).nullable().default(0),
    attributes: attributes.default({}),
    /** How its events flow tells nothing of the blocks of a prompt. */
    kvEvents: z.looseObject({}).nullable().optional(),
    cachedPrefixBytes: z.int().min(0).default(0),
    reportedPrefixBytes: z.int().min(0).optional(),
  }),
);

/** Reads a state file: what `/api/endpoints` of a running router gives. Throws ConfigError. */
export function parseEndpointState(source: {
  text: string;
  file: string;
  pool: string;
}): readonly EndpointState[] {
  const parsed = schema.safeParse(parseJson(source));
  if (!parsed.success) {
    throw new ConfigError(
      parsed.error.issues.flatMap(faultsOf).map((fault) => ({
        ...fault,
        message: `${source.file}: ${fault.message}`,
      })),
    );
  }
  return parsed.data
    .filter((entry) => entry.pool === undefined || entry.pool === source.pool)
    .map((entry) => {
      const values = new Map<NumericAttribute, number>();
      for (const attribute of REPORTED) {
        const value = entry.attributes[attribute.name];
        if (typeof value === "number") values.set(attribute, value);
      }
      return {
        spec: { id: endpointId(entry.name), address: entry.address, labels: entry.labels },
        isReady: entry.isReady,
        metricsAgeMs: entry.metricsAgeMs ?? 0,
        values,
        cachedPrefixBytes: entry.cachedPrefixBytes,
        reportedPrefixBytes: entry.reportedPrefixBytes,
      };
    });
}

/** An endpoint of which the best is known: ready, idle, empty. */
export function neutralState(id: EndpointId, labels: EndpointSpec["labels"]): EndpointState {
  return {
    spec: { id, address: "0.0.0.0:0", labels },
    isReady: true,
    metricsAgeMs: 0,
    values: new Map([
      [waitingQueueDepth, 0],
      [runningRequests, 0],
      [kvCacheUsage, 0],
    ]),
    cachedPrefixBytes: 0,
    reportedPrefixBytes: undefined,
  };
}

function parseJson({ text, file }: { text: string; file: string }): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new ConfigError([{ path: "", message: `${file} is not JSON: ${message}` }]);
  }
}

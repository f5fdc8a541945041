import { z } from "zod";
import {
  inFlightRequests,
  kvBlockCount,
  kvBlockTokens,
  kvCacheUsage,
  type NumericAttribute,
  runningRequests,
  waitingQueueDepth,
} from "../../endpoints/numeric-attribute.ts";
import { definePlugin, type PluginDefinition, type Stability } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";
import { instanceName, referencesTo } from "../../plugin/plugin-references.ts";
import { rejectFaulty } from "../../plugin/reject-faulty.ts";

const METRICS = {
  "active-requests": inFlightRequests,
  "running-requests": runningRequests,
  "waiting-queue": waitingQueueDepth,
  "kv-cache-utilization": kvCacheUsage,
} as const satisfies Record<string, NumericAttribute>;

const conditionSchema = z
  .strictObject({
    metric: z.enum([
      "active-requests",
      "running-requests",
      "waiting-queue",
      "kv-cache-utilization",
    ]),
    maxValue: z.number().min(0),
  })
  .refine(({ metric, maxValue }) => metric !== "kv-cache-utilization" || maxValue <= 1, {
    message: "is a ratio and must be at most 1",
    path: ["maxValue"],
  });

/** What both types take besides their limits. */
const shared = {
  fallbackOnEmpty: z.boolean().default(false),
  inFlightLoadProducerName: instanceName,
};

const conditionParams = paramsOf(
  z.strictObject({ conditions: z.array(conditionSchema).min(1), ...shared }),
);
type LimitParams = ReturnType<typeof conditionParams>;

/** The older type has one limit of its own; files that only renamed the type hold conditions. */
const activeRequestParams = paramsOf(
  z
    .strictObject({
      maxRequests: z.int().positive().optional(),
      conditions: z.array(conditionSchema).min(1).optional(),
      ...shared,
    })
    .refine(
      ({ maxRequests, conditions }) => (maxRequests === undefined) !== (conditions === undefined),
      { message: "needs either maxRequests or conditions" },
    )
    .transform(({ maxRequests = 0, conditions, ...rest }) => ({
      ...rest,
      conditions: conditions ?? [{ metric: "active-requests" as const, maxValue: maxRequests }],
    })),
);

/** Drops endpoints above any of the limits; a figure that is unknown is above none. */
export const utilizationFilter: PluginDefinition = limitFilter(
  "utilization-filter",
  "beta",
  conditionParams,
);

/** Older name of `utilization-filter`, with a limit for requests in flight alone. */
export const activeRequestFilter: PluginDefinition = limitFilter(
  "active-request-filter",
  "deprecated",
  activeRequestParams,
);

function limitFilter(
  type: string,
  stability: Stability,
  decodeParams: (raw: unknown) => LimitParams,
): PluginDefinition {
  return definePlugin({
    type,
    stability,
    state: "none",
    roles: ["filter"],
    // Block size and count size the correction of the usage by what was sent since the scrape.
    consumes: [...Object.values(METRICS), kvBlockCount, kvBlockTokens],
    params: decodeParams,
    references: ({ inFlightLoadProducerName }) =>
      referencesTo("produce", { inFlightLoadProducerName }),
    create: ({ conditions, fallbackOnEmpty }) => ({
      filter(cycle, candidates, reject) {
        const limits = conditions.map(({ metric, maxValue }) => ({
          column: cycle.column(METRICS[metric]),
          maxValue,
          reason: `${metric} is over ${maxValue}`,
        }));
        const faultOf = (slot: number): string | undefined =>
          limits.find(({ column, maxValue }) => (column[slot] as number) > maxValue)?.reason;
        rejectFaulty(candidates, { faultOf, fallbackOnEmpty }, reject);
      },
    }),
  });
}

import { z } from "zod";
import { NUMERIC_ATTRIBUTES } from "../../endpoints/numeric-attribute.ts";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { endpointAttribute } from "../../plugin/endpoint-attribute.ts";
import { paramsOf } from "../../plugin/params.ts";
import { rejectFaulty } from "../../plugin/reject-faulty.ts";

const COMPARISONS = {
  LessThan: (value: number, limit: number) => value < limit,
  LessThanOrEqual: (value: number, limit: number) => value <= limit,
  GreaterThan: (value: number, limit: number) => value > limit,
  GreaterThanOrEqual: (value: number, limit: number) => value >= limit,
  Equal: (value: number, limit: number) => value === limit,
  NotEqual: (value: number, limit: number) => value !== limit,
} as const;

const operator = z.enum([
  "LessThan",
  "LessThanOrEqual",
  "GreaterThan",
  "GreaterThanOrEqual",
  "Equal",
  "NotEqual",
]);

const decodeParams = paramsOf(
  z.strictObject({
    attribute: endpointAttribute,
    /** A column is the same whoever fills it. */
    producer: z.string().optional(),
    onMissing: z.enum(["Pass", "Fail"]).default("Pass"),
    fallbackOnEmpty: z.boolean().default(false),
    algorithm: z.strictObject({
      type: z.enum(["threshold"]),
      threshold: z.strictObject({ operator, value: z.number() }),
    }),
  }),
);

/** Keeps endpoints whose attribute compares as asked with a fixed value. */
export const endpointAttributeFilter: PluginDefinition = definePlugin({
  type: "endpoint-attribute-filter",
  stability: "beta",
  state: "none",
  roles: ["filter"],
  // Which one is read is a parameter, so every column has to be there.
  consumes: NUMERIC_ATTRIBUTES,
  params: decodeParams,
  create: ({ attribute, onMissing, fallbackOnEmpty, algorithm: { threshold } }) => {
    const isWanted = COMPARISONS[threshold.operator];
    const unwanted = `${attribute.name} is not ${threshold.operator} ${threshold.value}`;
    const missing = onMissing === "Fail" ? `${attribute.name} is unknown` : undefined;
    return {
      filter(cycle, candidates, reject) {
        const column = cycle.column(attribute);
        const faultOf = (slot: number): string | undefined => {
          const value = column[slot] as number;
          if (Number.isNaN(value)) return missing;
          return isWanted(value, threshold.value) ? undefined : unwanted;
        };
        rejectFaulty(candidates, { faultOf, fallbackOnEmpty }, reject);
      },
    };
  },
});

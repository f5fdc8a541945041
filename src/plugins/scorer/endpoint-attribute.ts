import { z } from "zod";
import { NUMERIC_ATTRIBUTES } from "../../endpoints/numeric-attribute.ts";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { endpointAttribute } from "../../plugin/endpoint-attribute.ts";
import { paramsOf } from "../../plugin/params.ts";
import {
  higherIsBetter,
  type KnownRange,
  knownRange,
  lowerIsBetter,
} from "../../plugin/score-scale.ts";

const fixedRange = z
  .strictObject({ min: z.number(), max: z.number() })
  .refine(({ min, max }) => min < max, { message: "must be above min", path: ["max"] })
  .refine(({ min, max }) => Number.isFinite(max - min), {
    message: "is too far from min",
    path: ["max"],
  });

const normalization = z
  .strictObject({ fixedRange: fixedRange.optional(), adaptiveRange: z.strictObject({}).optional() })
  .refine((ranges) => ranges.fixedRange === undefined || ranges.adaptiveRange === undefined, {
    message: "takes either fixedRange or adaptiveRange",
  });

const decodeParams = paramsOf(
  z.strictObject({
    attributeKey: endpointAttribute,
    /** A column is the same whoever fills it. */
    producer: z.string().optional(),
    algorithm: z.strictObject({
      type: z.enum(["linear_lower_is_better", "linear_higher_is_better"]),
      normalization: normalization.prefault({ adaptiveRange: {} }),
    }),
  }),
);

/** Scales one attribute linearly, over a fixed range or that of the candidates; unknown endpoints score 0.5. */
export const endpointAttributeScorer: PluginDefinition = definePlugin({
  type: "endpoint-attribute-scorer",
  stability: "beta",
  state: "none",
  roles: ["score"],
  // Which one is read is a parameter, so every column has to be there.
  consumes: NUMERIC_ATTRIBUTES,
  params: decodeParams,
  create: ({ attributeKey, algorithm }) => {
    const fixed = fixedKnownRange(algorithm.normalization.fixedRange);
    const scaled = algorithm.type === "linear_lower_is_better" ? lowerIsBetter : higherIsBetter;
    return {
      score(cycle, candidates, scores) {
        const column = cycle.column(attributeKey);
        const range = fixed ?? knownRange(column, candidates);
        for (let i = 0; i < candidates.count; i++) {
          const value = clamp(column[candidates.slots[i] as number] as number, range);
          scores[i] = scaled(value, range);
        }
      },
    };
  },
});

function fixedKnownRange(
  range: { readonly min: number; readonly max: number } | undefined,
): KnownRange | undefined {
  return range === undefined ? undefined : { lowest: range.min, highest: range.max };
}

function clamp(value: number, { lowest, highest }: KnownRange): number {
  return Math.min(Math.max(value, lowest), highest);
}

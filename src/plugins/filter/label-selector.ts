import { z } from "zod";
import type { Labels } from "../../endpoints/endpoint-table.ts";
import { definePlugin, type PluginDefinition, type Stability } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";
import { rejectFaulty } from "../../plugin/reject-faulty.ts";

/** One requirement of a selector. */
const expressionSchema = z
  .strictObject({
    key: z.string().min(1),
    operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]),
    values: z.array(z.string()).default([]),
  })
  .superRefine(({ operator, values }, context) => {
    const takesValues = operator === "In" || operator === "NotIn";
    if (takesValues === values.length > 0) return;
    const message = takesValues ? `${operator} needs values` : `${operator} takes no values`;
    context.addIssue({ code: "custom", path: ["values"], message });
  });
type Expression = z.infer<typeof expressionSchema>;

const decodeParams = paramsOf(
  z.strictObject({
    matchLabels: z.record(z.string(), z.string()).default({}),
    matchExpressions: z.array(expressionSchema).default([]),
  }),
);

/** Keeps endpoints that a Kubernetes label selector matches; an empty selector matches all. */
export const labelSelectorFilter: PluginDefinition = selectorFilter(
  "label-selector-filter",
  "stable",
);

/** Older name of `label-selector-filter`. */
export const byLabelSelectorFilter: PluginDefinition = selectorFilter(
  "by-label-selector",
  "deprecated",
);

function selectorFilter(type: string, stability: Stability): PluginDefinition {
  return definePlugin({
    type,
    stability,
    state: "none",
    roles: ["filter"],
    params: decodeParams,
    create: ({ matchLabels, matchExpressions }) => {
      const equal = Object.entries(matchLabels).map(
        ([key, value]): Expression => ({ key, operator: "In", values: [value] }),
      );
      const expressions = [...equal, ...matchExpressions];
      return {
        filter(cycle, candidates, reject) {
          const faultOf = (slot: number): string | undefined => {
            const labels = cycle.endpoints.labels(slot);
            const failed = expressions.find((expression) => !isMatched(expression, labels));
            return failed && `label ${failed.key} is ${labels[failed.key] ?? "not there"}`;
          };
          rejectFaulty(candidates, { faultOf, fallbackOnEmpty: false }, reject);
        },
      };
    },
  });
}

/** As Kubernetes selects: a missing label satisfies the negative operators only. */
function isMatched({ key, operator, values }: Expression, labels: Labels): boolean {
  const value = labels[key];
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
  }
}

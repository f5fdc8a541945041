import { z } from "zod";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";

const decodeParams = paramsOf(
  z
    .strictObject({
      label: z.string().min(1),
      validValues: z.array(z.string()).default([]),
      allowsNoLabel: z.boolean().default(false),
    })
    .refine(({ validValues, allowsNoLabel }) => validValues.length > 0 || allowsNoLabel, {
      message: "is empty and allowsNoLabel is false, so that no endpoint could ever pass",
      path: ["validValues"],
    }),
);

/** Keeps endpoints whose label has one of the valid values, and on request those without the label. */
export const byLabelFilter: PluginDefinition = definePlugin({
  type: "by-label",
  stability: "deprecated",
  state: "none",
  roles: ["filter"],
  params: decodeParams,
  create: ({ label, validValues, allowsNoLabel }) => ({
    filter(cycle, candidates, reject) {
      for (let i = 0; i < candidates.count; i++) {
        const value = cycle.endpoints.labels(candidates.slots[i] as number)[label];
        if (value === undefined) {
          if (!allowsNoLabel) reject(i, `no label ${label}`);
        } else if (!validValues.includes(value)) {
          reject(i, `${label} is ${value}`);
        }
      }
    },
  }),
});

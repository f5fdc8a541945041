import { z } from "zod";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { headerName } from "../../plugin/header-name.ts";
import { paramsOf } from "../../plugin/params.ts";

const decodeParams = paramsOf(
  z.strictObject({
    /** Header of the client's request. */
    headerName,
    labelKey: z.string().min(1),
  }),
);

/** Prefers endpoints whose label has the value that the client's header gives: 1, all others 0. */
export const headerLabelAffinityScorer: PluginDefinition = definePlugin({
  type: "header-label-affinity-scorer",
  stability: "beta",
  state: "none",
  roles: ["score"],
  params: decodeParams,
  create: (params) => ({
    score(cycle, candidates, scores) {
      const wanted = cycle.request.header(params.headerName);
      for (let i = 0; i < candidates.count; i++) {
        const label = cycle.endpoints.labels(candidates.slots[i] as number)[params.labelKey];
        scores[i] = label !== undefined && label === wanted ? 1 : 0;
      }
    },
  }),
});

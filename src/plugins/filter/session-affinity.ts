import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { candidateIndex, createSessionAffinity } from "../../plugin/session-affinity.ts";
import {
  sessionAffinityParams,
  sessionProfilesFault,
  sessionReferences,
} from "../../plugin/session-affinity-params.ts";

/** Keeps the session's endpoint alone while it is a candidate, else everybody. */
export const sessionAffinityFilter: PluginDefinition = definePlugin({
  type: "session-affinity-filter",
  stability: "beta",
  state: "private",
  roles: ["filter", "onPlan", "onResponseHead"],
  params: sessionAffinityParams,
  references: sessionReferences,
  profilesFault: sessionProfilesFault,
  create: (params, handle) => {
    const { boundEndpoint, ...hooks } = createSessionAffinity(params, handle.endpoints);
    return {
      ...hooks,
      filter(cycle, candidates, reject) {
        const bound = boundEndpoint(cycle);
        if (bound === undefined) return;
        const kept = candidateIndex(cycle.endpoints, candidates, bound);
        if (kept < 0) return;
        for (let i = 0; i < candidates.count; i++) {
          if (i !== kept) reject(i, "the session is bound to another endpoint");
        }
      },
    };
  },
});

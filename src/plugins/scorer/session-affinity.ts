import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { candidateIndex, createSessionAffinity } from "../../plugin/session-affinity.ts";
import {
  sessionAffinityParams,
  sessionProfilesFault,
  sessionReferences,
} from "../../plugin/session-affinity-params.ts";

/** Prefers the session's endpoint: 1 for it, 0 for all others and for requests without a session. */
export const sessionAffinityScorer: PluginDefinition = definePlugin({
  type: "session-affinity-scorer",
  stability: "beta",
  state: "private",
  roles: ["score", "onPlan", "onResponseHead"],
  params: sessionAffinityParams,
  references: sessionReferences,
  profilesFault: sessionProfilesFault,
  create: (params, handle) => {
    const { boundEndpoint, ...hooks } = createSessionAffinity(params, handle.endpoints);
    return {
      ...hooks,
      score(cycle, candidates, scores) {
        scores.fill(0, 0, candidates.count);
        const bound = boundEndpoint(cycle);
        if (bound === undefined) return;
        const index = candidateIndex(cycle.endpoints, candidates, bound);
        if (index >= 0) scores[index] = 1;
      },
    };
  },
});

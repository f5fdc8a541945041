import { waitingQueueDepth } from "../../endpoints/numeric-attribute.ts";
import { definePlugin, noParams, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { knownRange, lowerIsBetter } from "../../plugin/score-scale.ts";

/** Prefers short waiting queues, min-max scaled within the candidates; unknown endpoints score 0.5. */
export const queueScorer: PluginDefinition = definePlugin({
  type: "queue-scorer",
  stability: "stable",
  roles: ["score"],
  consumes: [waitingQueueDepth],
  params: noParams,
  create: () => ({
    score(cycle, candidates, scores) {
      const depths = cycle.column(waitingQueueDepth);
      const range = knownRange(depths, candidates);
      for (let i = 0; i < candidates.count; i++) {
        scores[i] = lowerIsBetter(depths[candidates.slots[i] as number] as number, range);
      }
    },
  }),
});

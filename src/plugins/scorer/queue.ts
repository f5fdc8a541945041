import {
  type NumericAttribute,
  runningRequests,
  waitingQueueDepth,
} from "../../endpoints/numeric-attribute.ts";
import { definePlugin, noParams, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { scoreLowerIsBetter } from "../../plugin/score-scale.ts";

/** Prefers short waiting queues, min-max scaled within the candidates; unknown endpoints score 0.5. */
export const queueScorer: PluginDefinition = fewestScorer("queue-scorer", waitingQueueDepth);

/** Prefers small running batches, scaled as waiting queues are. */
export const runningRequestsSizeScorer: PluginDefinition = fewestScorer(
  "running-requests-size-scorer",
  runningRequests,
);

function fewestScorer(type: string, attribute: NumericAttribute): PluginDefinition {
  return definePlugin({
    type,
    stability: "stable",
    state: "none",
    roles: ["score"],
    consumes: [attribute],
    params: noParams,
    create: () => ({
      score(cycle, candidates, scores) {
        scoreLowerIsBetter(cycle.column(attribute), candidates, scores);
      },
    }),
  });
}

import {
  type NumericAttribute,
  runningRequests,
  waitingQueueDepth,
} from "../../endpoints/numeric-attribute.ts";
import { definePlugin, noParams, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { knownRange, lowerIsBetter } from "../../plugin/score-scale.ts";

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
    roles: ["score"],
    consumes: [attribute],
    params: noParams,
    create: () => ({
      score(cycle, candidates, scores) {
        const counts = cycle.column(attribute);
        const range = knownRange(counts, candidates);
        for (let i = 0; i < candidates.count; i++) {
          scores[i] = lowerIsBetter(counts[candidates.slots[i] as number] as number, range);
        }
      },
    }),
  });
}

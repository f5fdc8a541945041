import { z } from "zod";
import { waitingQueueDepth } from "../../endpoints/numeric-attribute.ts";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";

/** Score of an empty queue (llm-d). */
const IDLE_SCORE = 0.5;
/** The middle of 0..0.5: an unknown queue must not look like an empty one. */
const UNKNOWN_QUEUE_SCORE = IDLE_SCORE / 2;

const decodeParams = paramsOf(
  z.strictObject({
    /** Requests from which on a queue scores 0. */
    threshold: z.int().positive().default(128),
  }),
);

/** Prefers short waiting queues by their absolute length: 0.5 when empty, 0 from the threshold on. */
export const loadAwareScorer: PluginDefinition = definePlugin({
  type: "load-aware-scorer",
  stability: "stable",
  state: "none",
  roles: ["score"],
  consumes: [waitingQueueDepth],
  params: decodeParams,
  create: ({ threshold }) => ({
    score(cycle, candidates, scores) {
      const depths = cycle.column(waitingQueueDepth);
      for (let i = 0; i < candidates.count; i++) {
        const depth = depths[candidates.slots[i] as number] as number;
        scores[i] = Number.isNaN(depth)
          ? UNKNOWN_QUEUE_SCORE
          : IDLE_SCORE * (1 - Math.min(depth, threshold) / threshold);
      }
    },
  }),
});

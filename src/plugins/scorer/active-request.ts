import { z } from "zod";
import { inFlightRequests } from "../../endpoints/numeric-attribute.ts";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";
import { instanceName, referencesTo } from "../../plugin/plugin-references.ts";
import { knownRange, UNKNOWN_SCORE } from "../../plugin/score-scale.ts";

const decodeParams = paramsOf(
  z.strictObject({
    /** Older versions forgot a request after this time; here each one ends, so it says nothing. */
    requestTimeout: z.string().optional(),
    /** Up to this many requests an endpoint counts as idle. */
    idleThreshold: z.int().min(0).default(0),
    /** What a busy endpoint scores at most; outside of 0..1 it means 1, as in llm-d. */
    maxBusyScore: z
      .number()
      .default(1)
      .transform((score) => (score >= 0 && score <= 1 ? score : 1)),
    inFlightLoadProducerName: instanceName,
  }),
);

/** Prefers endpoints with few of this router's requests: (max − n) / max among the candidates, idle ones 1. */
export const activeRequestScorer: PluginDefinition = definePlugin({
  type: "active-request-scorer",
  stability: "stable",
  state: "none",
  roles: ["score"],
  consumes: [inFlightRequests],
  params: decodeParams,
  references: ({ inFlightLoadProducerName }) =>
    referencesTo("produce", { inFlightLoadProducerName }),
  create: ({ idleThreshold, maxBusyScore }) => ({
    score(cycle, candidates, scores) {
      const counts = cycle.column(inFlightRequests);
      const { highest } = knownRange(counts, candidates);
      for (let i = 0; i < candidates.count; i++) {
        const count = counts[candidates.slots[i] as number] as number;
        if (Number.isNaN(count)) scores[i] = UNKNOWN_SCORE;
        else if (count <= idleThreshold) scores[i] = 1;
        else scores[i] = ((highest - count) / highest) * maxBusyScore;
      }
    },
  }),
});

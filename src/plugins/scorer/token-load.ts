import { z } from "zod";
import { BYTES_PER_TOKEN } from "../../core/tokenizer.ts";
import { inFlightTokens } from "../../endpoints/numeric-attribute.ts";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";
import { instanceName, referencesTo } from "../../plugin/plugin-references.ts";
import { promptLength } from "../../plugin/prompt-length.ts";
import { prefixMatch, promptTokens } from "../../plugin/request-attribute.ts";
import { UNKNOWN_SCORE } from "../../plugin/score-scale.ts";

const decodeParams = paramsOf(
  z.strictObject({
    /** 128 requests of 32,768 tokens each, unless set. */
    queueThresholdTokens: z.int().positive().default(4_194_304),
    inFlightLoadProducerName: instanceName,
    prefixMatchInfoProducerName: instanceName,
  }),
);

/** Prefers endpoints with few tokens to compute: those in flight, and what they lack of this prompt. */
export const tokenLoadScorer: PluginDefinition = definePlugin({
  type: "token-load-scorer",
  stability: "stable",
  state: "none",
  roles: ["score"],
  consumes: [inFlightTokens],
  reads: [prefixMatch, promptTokens],
  params: decodeParams,
  references: ({ inFlightLoadProducerName, prefixMatchInfoProducerName }) =>
    referencesTo("produce", { inFlightLoadProducerName, prefixMatchInfoProducerName }),
  create: ({ queueThresholdTokens, prefixMatchInfoProducerName }) => ({
    score(cycle, candidates, scores) {
      const inFlight = cycle.column(inFlightTokens);
      const match = cycle.get(prefixMatch, prefixMatchInfoProducerName);
      const blockTokens = (match?.blockBytes ?? 0) / BYTES_PER_TOKEN;
      const prompt = promptLength(cycle);
      for (let i = 0; i < candidates.count; i++) {
        const slot = candidates.slots[i] as number;
        const cached = (match?.matchedBySlot[slot] ?? 0) * blockTokens;
        const load = (inFlight[slot] as number) + Math.max(0, prompt - cached);
        scores[i] = Number.isNaN(load)
          ? UNKNOWN_SCORE
          : 1 - Math.min(load, queueThresholdTokens) / queueThresholdTokens;
      }
    },
  }),
});

import { z } from "zod";
import { BYTES_PER_TOKEN } from "../../core/tokenizer.ts";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";
import { instanceName, referencesTo } from "../../plugin/plugin-references.ts";
import { prefixMatch } from "../../plugin/request-attribute.ts";

const decodeParams = paramsOf(
  z.strictObject({
    prefixMatchInfoProducerName: instanceName,
    /** Weight of the matched length against the matched share. */
    matchLengthWeight: z.number().min(0).max(1).default(0),
    /** Matched tokens from which on the length counts fully. */
    matchLengthScaleTokens: z.number().positive().default(8192),
  }),
);

/** Prefers endpoints that hold the longest prefix of the prompt: matched blocks / blocks looked for. */
export const prefixCacheScorer: PluginDefinition = definePlugin({
  type: "prefix-cache-scorer",
  stability: "stable",
  state: "none",
  roles: ["score"],
  reads: [prefixMatch],
  params: decodeParams,
  references: ({ prefixMatchInfoProducerName }) =>
    referencesTo("produce", { prefixMatchInfoProducerName }),
  create: ({ prefixMatchInfoProducerName, matchLengthWeight, matchLengthScaleTokens }) => ({
    score(cycle, candidates, scores) {
      const match = cycle.get(prefixMatch, prefixMatchInfoProducerName);
      // A prompt shorter than a block has nothing to match anywhere.
      if (match === undefined || match.blockCount === 0) {
        scores.fill(0, 0, candidates.count);
        return;
      }
      const { matchedBySlot, blockCount } = match;
      const blockTokens = match.blockBytes / BYTES_PER_TOKEN;
      const { count, slots } = candidates;
      for (let i = 0; i < count; i++) {
        const matched = matchedBySlot[slots[i] as number] ?? 0;
        const length = Math.min(1, (matched * blockTokens) / matchLengthScaleTokens);
        const share = matched / blockCount;
        scores[i] = matchLengthWeight * length * length + (1 - matchLengthWeight) * share;
      }
    },
  }),
});

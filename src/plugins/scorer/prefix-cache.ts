import { definePlugin, noParams, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { prefixMatch } from "../../plugin/request-attribute.ts";

/** Prefers endpoints that hold the longest prefix of the prompt: matched blocks / blocks looked for. */
export const prefixCacheScorer: PluginDefinition = definePlugin({
  type: "prefix-cache-scorer",
  stability: "stable",
  roles: ["score"],
  reads: [prefixMatch],
  params: noParams,
  create: () => ({
    score(cycle, candidates, scores) {
      const match = cycle.get(prefixMatch);
      for (let i = 0; i < candidates.count; i++) {
        // A prompt shorter than a block has nothing to match anywhere.
        if (match === undefined || match.blockCount === 0) scores[i] = 0;
        else {
          const matched = match.matchedBySlot[candidates.slots[i] as number] ?? 0;
          scores[i] = matched / match.blockCount;
        }
      }
    },
  }),
});

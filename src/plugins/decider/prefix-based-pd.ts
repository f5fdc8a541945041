import { z } from "zod";
import { BYTES_PER_TOKEN } from "../../core/tokenizer.ts";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";
import { instanceName, referencesTo } from "../../plugin/plugin-references.ts";
import { promptLength } from "../../plugin/prompt-length.ts";
import { prefixMatch, promptTokens } from "../../plugin/request-attribute.ts";

const decodeParams = paramsOf(
  z.strictObject({
    /**
     * Tokens that the decode endpoint does not hold from which on prefill is split off; 0 = never.
     */
    nonCachedTokens: z.int().min(0).default(0),
    /** Shorter prompts stay whole whatever is cached. */
    promptTokens: z.int().min(0).default(0),
    prefixMatchInfoProducerName: instanceName,
  }),
);

/**
 * Splits prefill off when the decode endpoint would have to compute many tokens of the prompt
 * itself.
 */
export const prefixBasedPdDecider: PluginDefinition = definePlugin({
  type: "prefix-based-pd-decider",
  stability: "stable",
  state: "none",
  roles: ["decide"],
  reads: [prefixMatch, promptTokens],
  params: decodeParams,
  references: ({ prefixMatchInfoProducerName }) =>
    referencesTo("produce", { prefixMatchInfoProducerName }),
  create: (params, handle) => {
    const { nonCachedTokens, promptTokens: tokensMin, prefixMatchInfoProducerName } = params;
    let isMissingLogged = false;
    return {
      decide(cycle, decodeSlot) {
        if (nonCachedTokens === 0 || decodeSlot === undefined) return false;
        const tokens = promptLength(cycle);
        if (tokens < tokensMin || tokens < nonCachedTokens) return false;
        const match = cycle.get(prefixMatch, prefixMatchInfoProducerName);
        if (match === undefined) {
          // Unlike a threshold, which takes it for nothing cached (llm-d).
          if (!isMissingLogged) handle.log.error("prefix-match-missing", { plugin: handle.name });
          isMissingLogged = true;
          return false;
        }
        const matchedBytes = (match.matchedBySlot[decodeSlot] ?? 0) * match.blockBytes;
        return tokens - matchedBytes / BYTES_PER_TOKEN >= nonCachedTokens;
      },
    };
  },
});

import { z } from "zod";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";
import { instanceName, referencesTo } from "../../plugin/plugin-references.ts";
import { promptLength } from "../../plugin/prompt-length.ts";
import { expectedOutputTokens, promptTokens } from "../../plugin/request-attribute.ts";

const decodeParams = paramsOf(
  z.strictObject({
    /** Whether a request weighs by its output as well. */
    addEstimatedOutputTokens: z.boolean().default(false),
    /** Output tokens expected for each token of the prompt. */
    outputRatio: z.number().min(0).default(1.5),
    /** Most output tokens that are expected of a request; 0 = no limit. */
    maxEstimatedOutputTokens: z.int().min(0).default(0),
    /**
     * Accepted as files write them: the router counts what is in flight by the first prefix match.
     */
    prefixMatchInfoProducerName: instanceName,
    syncCrossReplicaState: z.boolean().default(true),
  }),
);

/**
 * Says how much output to expect of a request; the router itself counts what is in flight where.
 */
export const inflightLoadProducer: PluginDefinition = definePlugin({
  type: "inflight-load-producer",
  stability: "stable",
  state: "none",
  roles: ["produce"],
  reads: [promptTokens],
  produces: [expectedOutputTokens],
  params: decodeParams,
  references: ({ prefixMatchInfoProducerName }) =>
    referencesTo("produce", { prefixMatchInfoProducerName }),
  create: ({ addEstimatedOutputTokens, outputRatio, maxEstimatedOutputTokens }, handle) => {
    const tokensMax =
      maxEstimatedOutputTokens === 0 ? Number.POSITIVE_INFINITY : maxEstimatedOutputTokens;
    return {
      produce(cycle) {
        if (!addEstimatedOutputTokens) return;
        const asked = cycle.request.maxOutputTokens ?? Number.POSITIVE_INFINITY;
        const expected = Math.round(promptLength(cycle) * outputRatio);
        cycle.set(expectedOutputTokens, Math.min(expected, tokensMax, asked), handle.name);
      },
    };
  },
});

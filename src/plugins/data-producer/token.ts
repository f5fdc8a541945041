import { z } from "zod";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";
import { promptLength } from "../../plugin/prompt-length.ts";
import { promptTokens } from "../../plugin/request-attribute.ts";

/**
 * Settings of a tokenizer that is not asked: decisions are synchronous, and its tokens would come
 * too late.
 */
const unusedSettings = z.record(z.string(), z.unknown()).optional();

const decodeParams = paramsOf(
  z.strictObject({
    /** Choose the tokenizer of an engine in llm-d; here they are answered by the estimate. */
    modelName: z.string().optional(),
    vllm: unusedSettings,
    udsTokenizerConfig: unusedSettings,
    /** Sizes of images and video in tokens; only text is counted here. */
    estimate: unusedSettings,
  }),
);

/** Says how many tokens the prompt has, estimated as four bytes a token. */
export const tokenProducer: PluginDefinition = definePlugin({
  type: "token-producer",
  stability: "stable",
  roles: ["produce"],
  produces: [promptTokens],
  params: decodeParams,
  create: ({ modelName, vllm, udsTokenizerConfig }, handle) => {
    if ((modelName ?? vllm ?? udsTokenizerConfig) !== undefined) {
      handle.log.warn("tokens-estimated", {
        plugin: handle.name,
        reason: "no tokenizer is asked during a decision; four bytes count as a token",
      });
    }
    return {
      produce(cycle) {
        cycle.set(promptTokens, promptLength(cycle), handle.name);
      },
    };
  },
});

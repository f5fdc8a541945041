import { z } from "zod";
import { durationMs } from "../../core/duration.ts";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";
import { promptLength } from "../../plugin/prompt-length.ts";
import { promptTokens } from "../../plugin/request-attribute.ts";

/** Settings that are read by nobody here. */
const unusedSettings = z.record(z.string(), z.unknown()).optional();

const duration = z
  .string()
  .refine((text) => (durationMs(text) ?? 0) > 0, { error: "must be a duration such as 5s" });

const decodeParams = paramsOf(
  z.strictObject({
    /** Model whose tokenizer counts; it stands for the pool's own where that is not known. */
    modelName: z.string().min(1).optional(),
    /** An engine, or a server that renders and tokenizes as it does. */
    vllm: z
      .strictObject({
        url: z.url({ protocol: /^https?$/ }).optional(),
        timeout: duration.default("5s"),
        /** Media are not tokenized. */
        mmTimeout: duration.default("30s"),
      })
      .optional(),
    /** A tokenizer beside llm-d's picker, which is not asked: the engines are. */
    udsTokenizerConfig: unusedSettings,
    /** Chooses the estimate; sizes of images and video in it are for llm-d, only text is counted here. */
    estimate: unusedSettings,
  }),
);

/** Where a token producer's parameters say that tokens come from. */
export type TokenBackend =
  | { readonly kind: "estimate" }
  | {
      readonly kind: "engine";
      readonly modelName: string | undefined;
      /** Undefined: the pool's own engines, or an encoder of our own for models that it knows. */
      readonly url: string | undefined;
      readonly timeoutMs: number;
    };

/** What the parameters of a token producer choose; undefined for other types and where they choose nothing. */
export function tokenBackendOf(type: string, parameters: unknown): TokenBackend | undefined {
  if (type !== tokenProducer.type) return undefined;
  const { modelName, vllm, udsTokenizerConfig, estimate } = decodeParams(parameters);
  if (estimate !== undefined) return { kind: "estimate" };
  if ((modelName ?? vllm ?? udsTokenizerConfig) === undefined) return undefined;
  const timeoutMs = durationMs(vllm?.timeout ?? "5s") ?? 0;
  return { kind: "engine", modelName, url: vllm?.url, timeoutMs };
}

/** Says how many tokens the prompt has: as the engine counts where that is known, else four bytes a token. */
export const tokenProducer: PluginDefinition = definePlugin({
  type: "token-producer",
  stability: "stable",
  state: "none",
  roles: ["produce"],
  produces: [promptTokens],
  params: decodeParams,
  create: (_params, handle) => ({
    produce(cycle) {
      const { tokens } = cycle.request;
      const count = tokens?.isWhole === true ? tokens.count : promptLength(cycle);
      cycle.set(promptTokens, count, handle.name);
    },
  }),
});

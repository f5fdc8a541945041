import type { EngineConfig } from "./engine-config.ts";

/** Why an engine refuses a request of such a size, in vLLM's words; undefined when it can run. */
export function requestFault(
  config: EngineConfig,
  promptTokens: number,
  outputTokens: number,
): string | undefined {
  const { maxModelLen, blockCount, blockTokens } = config;
  if (!Number.isSafeInteger(promptTokens) || promptTokens < 1) {
    return "The decoder prompt cannot be empty";
  }
  if (!Number.isSafeInteger(outputTokens) || outputTokens < 1) {
    return `max_tokens must be at least 1, got ${outputTokens}.`;
  }
  if (promptTokens >= maxModelLen) {
    return (
      `This model's maximum context length is ${maxModelLen} tokens. However, your request has ` +
      `${promptTokens} input tokens. Please reduce the length of the input messages.`
    );
  }
  if (promptTokens + outputTokens > maxModelLen) {
    return (
      `'max_tokens' or 'max_completion_tokens' is too large: ${outputTokens}. This model's maximum ` +
      `context length is ${maxModelLen} tokens and your request has ${promptTokens} input tokens ` +
      `(${outputTokens} > ${maxModelLen} - ${promptTokens}).`
    );
  }
  // A sequence that cannot fit alone would be preempted and admitted for ever.
  const poolTokens = (blockCount - 1) * blockTokens;
  if (promptTokens + outputTokens - 1 > poolTokens) {
    return (
      `The request needs ${promptTokens + outputTokens - 1} tokens of KV cache, which is larger ` +
      `than the ${poolTokens} tokens available.`
    );
  }
  return undefined;
}

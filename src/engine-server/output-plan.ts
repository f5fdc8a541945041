import { mixKeys } from "../engine/mix-keys.ts";
import { outputLength, tokenText } from "../engine/output-text.ts";
import type { GenerationRequest } from "./generation-request.ts";
import type { ToolCall } from "./tool-choice.ts";

/** Why an answer ends, in OpenAI's words. */
export type FinishReason = "stop" | "length" | "tool_calls";

/** What one sequence will say: drawn when it is submitted, its text made a token at a time. */
export interface OutputPlan {
  readonly tokenCount: number;
  readonly finishReason: FinishReason;
  readonly tool: ToolCall | undefined;
  /** Text of the token at `index`, below `tokenCount`. */
  piece(index: number): string;
}

/** Characters of tool-call JSON that count as a token, as the tokenizer's estimate has it. */
const JSON_CHARS_PER_TOKEN = 4;

/** Plans the answer numbered `copy` (from 0) to a prompt; `maxTokens` is what limits and context allow. */
export function planOutput(
  request: GenerationRequest,
  options: { promptKey: number; seed: number; copy: number; maxTokens: number },
): OutputPlan {
  const { promptKey, maxTokens } = options;
  const { tool } = request;
  if (tool !== undefined) return planToolCall(tool, maxTokens);
  const requestSeed = request.seed ?? options.seed;
  const seed = options.copy === 0 ? requestSeed : mixKeys(requestSeed, options.copy);
  const { minTokens, isEosIgnored: ignoreEos } = request;
  const length = outputLength({ seed, promptKey, maxTokens, minTokens, ignoreEos });
  return {
    tokenCount: length.tokens,
    finishReason: length.finishReason,
    tool: undefined,
    piece: (index) => tokenText(promptKey, seed, index),
  };
}

function planToolCall(tool: ToolCall, maxTokens: number): OutputPlan {
  const wanted = Math.ceil(tool.arguments.length / JSON_CHARS_PER_TOKEN);
  const isCut = wanted > maxTokens;
  return {
    tokenCount: isCut ? maxTokens : wanted,
    finishReason: isCut ? "length" : tool.isRequired ? "tool_calls" : "stop",
    tool,
    piece: (index) =>
      tool.arguments.slice(index * JSON_CHARS_PER_TOKEN, (index + 1) * JSON_CHARS_PER_TOKEN),
  };
}

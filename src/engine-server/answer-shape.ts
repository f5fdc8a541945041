import type { GenerationKind } from "./generation-request.ts";
import type { FinishReason, OutputPlan } from "./output-plan.ts";

/** Token counts of an answer, over all its sequences; prompt tokens count once a prompt. */
export interface AnswerUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Undefined while the answer is under way. */
  readonly cachedTokens: number | undefined;
}

/** What stands in every object of an answer. */
export interface AnswerHead {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly model: string;
}

/** One sequence as an answer names it. */
export interface AnswerSequence {
  readonly index: number;
  readonly plan: OutputPlan;
  /** Name of its tool call, where it has one. */
  readonly toolCallId: string;
}

/** How one of the two generating paths writes its answers (OpenAI's shapes with vLLM's fields). */
export interface AnswerShape {
  readonly idPrefix: string;
  readonly object: string;
  readonly chunkObject: string;
  /** Choices that begin a sequence's stream. */
  opening(sequence: AnswerSequence): readonly object[];
  piece(sequence: AnswerSequence, text: string): object;
  closing(sequence: AnswerSequence): object;
  whole(sequence: AnswerSequence, text: string): object;
}

const chatShape: AnswerShape = {
  idPrefix: "chatcmpl-",
  object: "chat.completion",
  chunkObject: "chat.completion.chunk",
  opening(sequence) {
    const role = chatChunk(sequence, { role: "assistant", content: "" }, null);
    const { tool } = sequence.plan;
    if (tool === undefined) return [role];
    const called = {
      index: 0,
      id: sequence.toolCallId,
      type: "function",
      function: { name: tool.name, arguments: "" },
    };
    return [role, chatChunk(sequence, { tool_calls: [called] }, null)];
  },
  piece(sequence, text) {
    const delta =
      sequence.plan.tool === undefined
        ? { content: text }
        : { tool_calls: [{ index: 0, function: { arguments: text } }] };
    return chatChunk(sequence, delta, null);
  },
  closing: (sequence) => ({
    ...chatChunk(sequence, {}, sequence.plan.finishReason),
    stop_reason: null,
  }),
  whole: (sequence, text) => ({
    index: sequence.index,
    message: chatMessage(sequence, text),
    logprobs: null,
    finish_reason: sequence.plan.finishReason,
    stop_reason: null,
  }),
};

const completionShape: AnswerShape = {
  idPrefix: "cmpl-",
  object: "text_completion",
  chunkObject: "text_completion",
  opening: () => [],
  piece: (sequence, text) => completionChoice(sequence, text, null),
  closing: (sequence) => completionChoice(sequence, "", sequence.plan.finishReason),
  whole: (sequence, text) => completionChoice(sequence, text, sequence.plan.finishReason),
};

/** The shapes by path. */
export const ANSWER_SHAPES: Readonly<Record<GenerationKind, AnswerShape>> = {
  chat: chatShape,
  completion: completionShape,
};

/** `usage` as vLLM writes it; cached tokens as with `--enable-prompt-tokens-details`. */
export function usageJson(usage: AnswerUsage): object {
  const { promptTokens, completionTokens, cachedTokens } = usage;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    ...(cachedTokens === undefined
      ? {}
      : { prompt_tokens_details: { cached_tokens: cachedTokens } }),
  };
}

function chatChunk(
  sequence: AnswerSequence,
  delta: object,
  finishReason: FinishReason | null,
): object {
  return { index: sequence.index, delta, logprobs: null, finish_reason: finishReason };
}

function chatMessage(sequence: AnswerSequence, text: string): object {
  const { tool } = sequence.plan;
  if (tool === undefined) return { role: "assistant", content: text, refusal: null };
  const called = { name: tool.name, arguments: text };
  return {
    role: "assistant",
    content: null,
    refusal: null,
    tool_calls: [{ id: sequence.toolCallId, type: "function", function: called }],
  };
}

function completionChoice(
  sequence: AnswerSequence,
  text: string,
  finishReason: FinishReason | null,
): object {
  const { index } = sequence;
  return { index, text, logprobs: null, finish_reason: finishReason, stop_reason: null };
}

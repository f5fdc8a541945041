import { isRecord, promptBytesOf } from "../request/prompt-bytes.ts";
import { type ApiFault, badRequest } from "./api-fault.ts";
import { type KvDemand, readKvDemand } from "./kv-transfer-params.ts";
import type { JsonObject } from "./read-json-body.ts";
import { readToolChoice, type ToolCall } from "./tool-choice.ts";

/** Which of the two generating paths was asked. */
export type GenerationKind = "chat" | "completion";

/** How a stream reports its token counts. */
export interface StreamOptions {
  /** A last chunk with `usage` and no choices. */
  readonly isUsageIncluded: boolean;
  /** `usage` in every chunk. */
  readonly isUsageContinuous: boolean;
}

/** A body of `/v1/chat/completions` or `/v1/completions`, checked. */
export interface GenerationRequest {
  readonly kind: GenerationKind;
  /** Flattened prompts; each gives `sequencesPerPrompt` answers. */
  readonly prompts: readonly Uint8Array[];
  readonly sequencesPerPrompt: number;
  /** Undefined: up to the context's end. */
  readonly maxTokens: number | undefined;
  readonly minTokens: number;
  readonly isEosIgnored: boolean;
  readonly seed: number | undefined;
  readonly cacheSalt: string | undefined;
  /** Undefined for an answer in one piece. */
  readonly stream: StreamOptions | undefined;
  readonly tool: ToolCall | undefined;
  readonly kv: KvDemand;
}

/** vLLM's (and OpenAI's) `max_tokens` of `/v1/completions` where the client gives none. */
const COMPLETION_MAX_TOKENS = 16;
/** Sequences of one request, prompts times `n`. */
const MAX_SEQUENCES = 1024;

/** Reads a body; a fault is what vLLM answers 400 to. */
export function readGeneration(
  kind: GenerationKind,
  body: JsonObject,
): GenerationRequest | ApiFault {
  const prompts = promptBytesOf(kind, body);
  if (typeof prompts === "string") {
    return badRequest(prompts, kind === "chat" ? "messages" : "prompt");
  }
  if (prompts.some((prompt) => prompt.length === 0)) {
    return badRequest("The decoder prompt cannot be empty", "prompt");
  }
  const numbers = readNumbers(kind, body, prompts.length);
  if ("status" in numbers) return numbers;
  const stream = readStream(body);
  if (stream !== undefined && "status" in stream) return stream;
  const tool = kind === "chat" ? readToolChoice(body) : undefined;
  if (tool !== undefined && "status" in tool) return tool;
  const { cache_salt: cacheSalt } = body;
  if (!isAbsent(cacheSalt) && (typeof cacheSalt !== "string" || cacheSalt === "")) {
    const message = "Parameter 'cache_salt' must be a non-empty string if provided.";
    return badRequest(message, "cache_salt");
  }
  return {
    kind,
    prompts,
    ...numbers,
    isEosIgnored: body["ignore_eos"] === true,
    cacheSalt: typeof cacheSalt === "string" ? cacheSalt : undefined,
    stream,
    tool,
    kv: readKvDemand(body["kv_transfer_params"]),
  };
}

type Numbers = Pick<GenerationRequest, "sequencesPerPrompt" | "maxTokens" | "minTokens" | "seed">;

function readNumbers(
  kind: GenerationKind,
  body: JsonObject,
  promptCount: number,
): Numbers | ApiFault {
  for (const name of ["n", "max_tokens", "max_completion_tokens", "min_tokens", "seed"]) {
    if (!isAbsent(body[name]) && !Number.isInteger(body[name])) {
      return badRequest(`${name} must be a whole number`, name);
    }
  }
  const sequencesPerPrompt = integer(body["n"]) ?? 1;
  if (sequencesPerPrompt < 1) {
    return badRequest(`n must be at least 1, got ${sequencesPerPrompt}.`, "n");
  }
  if (sequencesPerPrompt * promptCount > MAX_SEQUENCES) {
    return badRequest(`A request may ask for at most ${MAX_SEQUENCES} sequences.`, "n");
  }
  const maxTokens =
    kind === "chat"
      ? (integer(body["max_completion_tokens"]) ?? integer(body["max_tokens"]))
      : (integer(body["max_tokens"]) ?? COMPLETION_MAX_TOKENS);
  if (maxTokens !== undefined && maxTokens < 1) {
    return badRequest(`max_tokens must be at least 1, got ${maxTokens}.`, "max_tokens");
  }
  const minTokens = integer(body["min_tokens"]) ?? 0;
  if (minTokens < 0) {
    const message = `min_tokens must be greater than or equal to 0, got ${minTokens}.`;
    return badRequest(message, "min_tokens");
  }
  if (maxTokens !== undefined && minTokens > maxTokens) {
    const message = `min_tokens must be less than or equal to max_tokens=${maxTokens}, got ${minTokens}.`;
    return badRequest(message, "min_tokens");
  }
  return { sequencesPerPrompt, maxTokens, minTokens, seed: integer(body["seed"]) };
}

function readStream(body: JsonObject): StreamOptions | ApiFault | undefined {
  const { stream, stream_options: options } = body;
  if (stream !== true) {
    if (isAbsent(options)) return undefined;
    const message = "Stream options can only be defined when `stream=True`.";
    return badRequest(message, "stream_options");
  }
  const flags = isRecord(options) ? options : {};
  const isUsageIncluded = flags["include_usage"] === true;
  return {
    isUsageIncluded,
    isUsageContinuous: isUsageIncluded && flags["continuous_usage_stats"] === true,
  };
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function integer(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

import { BYTES_PER_TOKEN, estimatingTokenizer } from "../core/tokenizer.ts";
import { promptBytesOf } from "../request/prompt-bytes.ts";
import { type ApiFault, badRequest } from "./api-fault.ts";
import type { JsonObject } from "./read-json-body.ts";

/** Answer of vLLM's `POST /tokenize`. */
export interface Tokenized {
  readonly count: number;
  readonly max_model_len: number;
  readonly tokens: readonly number[];
  readonly token_strs: readonly string[] | null;
}

/** Answer of vLLM's `POST /detokenize`. */
export interface Detokenized {
  readonly prompt: string;
}

const TOKEN_MAX = 0xffffffff;

/** Token ids of a `prompt` or of `messages`: those that the engine counts, hashes and reports. */
export function tokenize(body: JsonObject, maxModelLen: number): Tokenized | ApiFault {
  const isChat = body["messages"] !== undefined;
  if (!isChat && typeof body["prompt"] !== "string") {
    return badRequest("prompt must be a string", "prompt");
  }
  const prompts = promptBytesOf(isChat ? "chat" : "completion", body);
  if (typeof prompts === "string") return badRequest(prompts, isChat ? "messages" : "prompt");
  const tokens = Array.from(estimatingTokenizer.tokenize(prompts[0] ?? new Uint8Array(0)));
  return {
    count: tokens.length,
    max_model_len: maxModelLen,
    tokens,
    token_strs: body["return_token_strs"] === true ? tokens.map((token) => textOf([token])) : null,
  };
}

/** Text of token ids. */
export function detokenize(body: JsonObject): Detokenized | ApiFault {
  const { tokens } = body;
  if (!Array.isArray(tokens) || !tokens.every(isToken)) {
    return badRequest(`tokens must be whole numbers from 0 to ${TOKEN_MAX}`, "tokens");
  }
  return { prompt: textOf(tokens) };
}

function isToken(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= TOKEN_MAX;
}

/** The bytes of the ids without the zeros that fill up the last one. */
function textOf(tokens: readonly number[]): string {
  const bytes = Buffer.alloc(tokens.length * BYTES_PER_TOKEN);
  for (const [index, token] of tokens.entries()) {
    bytes.writeUInt32LE(token, index * BYTES_PER_TOKEN);
  }
  let size = bytes.length;
  while (size > 0 && bytes[size - 1] === 0) size--;
  return bytes.toString("utf8", 0, size);
}

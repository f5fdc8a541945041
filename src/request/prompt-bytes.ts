import { BYTES_PER_TOKEN } from "../core/tokenizer.ts";
import type { RequestKind } from "./inference-request.ts";

const encoder = new TextEncoder();

/**
 * Flattened prompts of a decoded body, one for each sequence it asks for; a string is what is wrong.
 * Chat is `<|im_start|>{role}\n{content}<|im_end|>\n` a message, as the endpoint picker flattens it.
 */
export function promptBytesOf(
  kind: RequestKind,
  body: Readonly<Record<string, unknown>>,
): readonly Uint8Array[] | string {
  switch (kind) {
    case "chat":
      return chatPrompt(body["messages"]);
    case "completion":
      return completionPrompts(body["prompt"]);
    case "other":
      return [];
  }
}

function chatPrompt(messages: unknown): readonly Uint8Array[] | string {
  if (!Array.isArray(messages)) return "messages must be an array";
  if (messages.length === 0) return "messages is empty";
  let text = "";
  for (const message of messages) {
    if (!isRecord(message)) return "each message must be an object";
    const role = typeof message["role"] === "string" ? message["role"] : "";
    text += `<|im_start|>${role}\n${contentText(message["content"])}<|im_end|>\n`;
  }
  return [encoder.encode(text)];
}

/** Types of content parts that an encode stage would handle. */
const MEDIA_TYPES: readonly unknown[] = ["image_url", "audio_url", "video_url", "input_audio"];

/** Counts the images, audio and video parts of chat messages. */
export function mediaCountOf(messages: unknown): number {
  if (!Array.isArray(messages)) return 0;
  const parts = messages.flatMap((message: unknown) =>
    isRecord(message) && Array.isArray(message["content"]) ? message["content"] : [],
  );
  return parts.filter((part) => isRecord(part) && MEDIA_TYPES.includes(part["type"])).length;
}

/** Text parts joined; images and other parts add nothing. */
function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  let text = "";
  for (const part of content) {
    if (isRecord(part) && typeof part["text"] === "string") text += part["text"];
  }
  return text;
}

function completionPrompts(prompt: unknown): readonly Uint8Array[] | string {
  if (typeof prompt === "string") return [encoder.encode(prompt)];
  if (!Array.isArray(prompt)) return "prompt must be a string or an array";
  if (prompt.length === 0) return "prompt is empty";
  if (typeof prompt[0] === "number") {
    return isTokens(prompt) ? [tokenBytes(prompt)] : "prompt mixes token ids with other values";
  }
  const prompts: Uint8Array[] = [];
  for (const entry of prompt) {
    if (typeof entry === "string") prompts.push(encoder.encode(entry));
    else if (Array.isArray(entry) && isTokens(entry)) prompts.push(tokenBytes(entry));
    else return "each prompt must be a string or an array of token ids";
  }
  return prompts;
}

function isTokens(values: readonly unknown[]): values is readonly number[] {
  return values.every((value) => Number.isInteger(value));
}

/** A token id takes four bytes, little-endian, so that ids and their estimate from text are one size. */
function tokenBytes(tokens: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(tokens.length * BYTES_PER_TOKEN);
  new Uint32Array(bytes.buffer).set(tokens);
  return bytes;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

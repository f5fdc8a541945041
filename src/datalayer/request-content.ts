import type { InferenceRequest } from "../request/inference-request.ts";
import { isRecord } from "../request/prompt-bytes.ts";
import type { RequestBody } from "./token-source.ts";

const decoder = new TextDecoder();

/** The body of a chat or completion of text; undefined for one of another kind, with media or without body. */
export function decodeBody({ kind, body, mediaCount }: InferenceRequest): RequestBody | undefined {
  if (body === undefined || kind === "other" || mediaCount > 0) return undefined;
  // It was read before, so it is a JSON object.
  const value: unknown = JSON.parse(decoder.decode(body.whole));
  return isRecord(value) ? value : undefined;
}

import { BYTES_PER_TOKEN } from "../core/tokenizer.ts";
import type { RequestCycle } from "./cycle.ts";
import { promptTokens } from "./request-attribute.ts";

/** Tokens of the request's prompt: a producer's count, or the estimate where nobody counted. */
export function promptLength(cycle: RequestCycle): number {
  const estimate = Math.ceil(cycle.request.prompt.sizeBytes / BYTES_PER_TOKEN);
  return cycle.get(promptTokens) ?? estimate;
}

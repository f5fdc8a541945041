import { BYTES_PER_TOKEN } from "../core/tokenizer.ts";
import type { ChargedTokens } from "../endpoints/load-tracker.ts";
import type { RequestCycle } from "../plugin/cycle.ts";
import { expectedOutputTokens, prefixMatch } from "../plugin/request-attribute.ts";
import type { InferenceRequest } from "../request/inference-request.ts";

/** The request's tokens on an endpoint: what it holds of the prompt needs no computing there. */
export function chargedTokens(cycle: RequestCycle, slot: number): ChargedTokens {
  const promptTokens = promptTokensOf(cycle.request);
  const match = cycle.get(prefixMatch);
  const cachedBytes = match === undefined ? 0 : (match.matchedBySlot[slot] ?? 0) * match.blockBytes;
  const uncachedTokens = Math.max(0, promptTokens - Math.floor(cachedBytes / BYTES_PER_TOKEN));
  return { promptTokens, loadTokens: uncachedTokens + (cycle.get(expectedOutputTokens) ?? 0) };
}

/** Tokens of the whole prompt, by the estimate. */
export function promptTokensOf(request: InferenceRequest): number {
  return Math.ceil(request.prompt.sizeBytes / BYTES_PER_TOKEN);
}

import type { ModelName, RequestId } from "../core/brand.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import type { IdPrompt } from "./id-prompt.ts";

/** A completion request without a body, as the router sees it: no headers, nothing to edit. */
export function simulatedRequest(facts: {
  readonly id: RequestId;
  readonly model: ModelName;
  readonly prompt: IdPrompt;
  readonly maxOutputTokens: number;
}): InferenceRequest {
  return {
    ...facts,
    kind: "completion",
    path: "/v1/completions",
    isStreaming: true,
    isUsageStreamed: true,
    bodyBytes: facts.prompt.sizeBytes,
    mediaCount: 0,
    header: () => undefined,
    renamed: (model) => ({ request: simulatedRequest({ ...facts, model }), edits: [] }),
  };
}

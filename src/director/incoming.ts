import { modelName } from "../core/brand.ts";
import type { Rng } from "../core/rng.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import type { SpanEdit } from "../request/span-edit.ts";
import type { RequestFacts } from "../scheduling/decision.ts";
import { rewriteFor } from "./model-rewrite.ts";
import type { PoolBlueprint } from "./pool-plugins.ts";

/** A request as the pool's rules leave it. */
export interface Incoming {
  readonly request: InferenceRequest;
  readonly edits: readonly SpanEdit[];
  readonly facts: RequestFacts;
}

/** Headers that name an InferenceObjective, today's spelling first (llm-d). */
const OBJECTIVE_HEADERS = ["x-llm-d-inference-objective", "x-gateway-inference-objective"] as const;

/** Replaces the model where a rule says so, and reads the priority that the request asks for. */
export function applyRules(asked: InferenceRequest, blueprint: PoolBlueprint, rng: Rng): Incoming {
  const { rewrites = [], objectives = [] } = blueprint;
  const model = rewrites.length === 0 ? undefined : rewriteFor(rewrites, asked.model, rng);
  const isRenamed = model !== undefined && model !== asked.model;
  const { request, edits } = isRenamed
    ? asked.renamed(modelName(model))
    : { request: asked, edits: [] };
  const header = OBJECTIVE_HEADERS.find((name) => asked.header(name) !== undefined);
  const objective = header === undefined ? undefined : asked.header(header);
  return {
    request,
    edits,
    facts: {
      id: request.id,
      model: request.model,
      ...(isRenamed ? { askedModel: asked.model } : {}),
      priority: objectives.find(({ name }) => name === objective)?.priority ?? 0,
      kind: request.kind,
      isStreaming: request.isStreaming,
      promptBytes: request.prompt.sizeBytes,
      bodyBytes: request.bodyBytes,
    },
  };
}

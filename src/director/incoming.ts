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

const NO_EDITS: readonly SpanEdit[] = [];

/** Replaces the model where a rule says so, and reads the priority that the request asks for. */
export function applyRules(asked: InferenceRequest, blueprint: PoolBlueprint, rng: Rng): Incoming {
  const { rewrites = [], objectives = [] } = blueprint;
  const model = rewrites.length === 0 ? undefined : rewriteFor(rewrites, asked.model, rng);
  const isRenamed = model !== undefined && model !== asked.model;
  const { request, edits } = isRenamed
    ? asked.renamed(modelName(model))
    : { request: asked, edits: NO_EDITS };
  return {
    request,
    edits,
    facts: {
      id: request.id,
      model: request.model,
      askedModel: isRenamed ? asked.model : undefined,
      priority: objectives.length === 0 ? 0 : priorityOf(asked, objectives),
      kind: request.kind,
      isStreaming: request.isStreaming,
      promptBytes: request.prompt.sizeBytes,
      bodyBytes: request.bodyBytes,
    },
  };
}

function priorityOf(
  asked: InferenceRequest,
  objectives: readonly { readonly name: string; readonly priority: number }[],
): number {
  for (const header of OBJECTIVE_HEADERS) {
    const objective = asked.header(header);
    if (objective === undefined) continue;
    return objectives.find(({ name }) => name === objective)?.priority ?? 0;
  }
  return 0;
}

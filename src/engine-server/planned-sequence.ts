import type { EngineRequest } from "../engine/engine-core.ts";
import { type ApiFault, badRequest } from "./api-fault.ts";
import { enginePrompt, promptTokens } from "./engine-prompt.ts";
import type { EngineUnit } from "./engine-unit.ts";
import type { GenerationRequest } from "./generation-request.ts";
import { type OutputPlan, planOutput } from "./output-plan.ts";

/** One sequence of a request, ready for the engine. */
export interface PlannedSequence {
  readonly engineRequest: Omit<EngineRequest, "id" | "kv">;
  readonly plan: OutputPlan;
  readonly isFirstOfPrompt: boolean;
}

/** Plans every prompt's answers in the order of `choices`; a fault is what the engine can never run. */
export function planSequences(
  unit: EngineUnit,
  request: GenerationRequest,
): readonly PlannedSequence[] | ApiFault {
  const { config, modelName, seed, hasher } = unit.options;
  const param = request.kind === "chat" ? "messages" : "prompt";
  const planned: PlannedSequence[] = [];
  for (const bytes of request.prompts) {
    const tokenCount = promptTokens(bytes);
    // Asked before anything is hashed: a body may hold far more than a context.
    const fault = unit.engine.fault(tokenCount, request.maxTokens ?? 1);
    if (fault !== undefined) return badRequest(fault, param);
    const { prompt, promptKey } = enginePrompt(bytes, {
      modelName,
      cacheSalt: request.cacheSalt,
      blockTokens: config.blockTokens,
      isTokenIdsKept: config.isKvEventsEnabled,
      hasher,
    });
    const maxTokens = request.maxTokens ?? config.maxModelLen - tokenCount;
    for (let copy = 0; copy < request.sequencesPerPrompt; copy++) {
      const plan = planOutput(request, { promptKey, seed, copy, maxTokens });
      const planFault = unit.engine.fault(tokenCount, plan.tokenCount);
      if (planFault !== undefined) return badRequest(planFault, param);
      const engineRequest = { prompt, outputTokens: plan.tokenCount };
      planned.push({ engineRequest, plan, isFirstOfPrompt: copy === 0 });
    }
  }
  return planned;
}

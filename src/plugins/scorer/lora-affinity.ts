import type { LoraState } from "../../endpoints/endpoint-table.ts";
import { definePlugin, noParams, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { UNKNOWN_SCORE } from "../../plugin/score-scale.ts";

/** Prefers engines that run the request's LoRA adapter, then those with room for it; unknown ones score 0.5. */
export const loraAffinityScorer: PluginDefinition = definePlugin({
  type: "lora-affinity-scorer",
  stability: "stable",
  state: "none",
  roles: ["score"],
  consumesLora: true,
  params: noParams,
  create: () => ({
    score(cycle, candidates, scores) {
      for (let i = 0; i < candidates.count; i++) {
        const lora = cycle.endpoints.lora(candidates.slots[i] as number);
        scores[i] = lora === undefined ? UNKNOWN_SCORE : affinity(lora, cycle.request.model);
      }
    },
  }),
});

/** llm-d's steps: running here, room for it, waiting here, neither. */
function affinity({ running, waiting, adaptersMax }: LoraState, model: string): number {
  if (running.has(model)) return 1;
  if (running.size + waiting.size < adaptersMax) return 0.8;
  return waiting.has(model) ? 0.6 : 0;
}

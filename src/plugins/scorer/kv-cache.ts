import { z } from "zod";
import type { KvBlockView } from "../../endpoints/block-index.ts";
import { kvBlockCount, kvBlockTokens, kvCacheUsage } from "../../endpoints/numeric-attribute.ts";
import type { Candidates, Cycle } from "../../plugin/cycle.ts";
import { definePlugin, noParams, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";
import { UNKNOWN_SCORE } from "../../plugin/score-scale.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";

/**
 * How long a decision counts as held before the engine says so: an idle engine reports within a step, and
 * llm-d's `speculativeTTL` is the same.
 */
const CREDIT_MS = 2000;

const decodeParams = paramsOf(
  z.strictObject({ mode: z.enum(["auto", "match", "utilization"]).default("auto") }),
);

/** Block size and count size the correction of the usage by what was sent since the scrape. */
const USAGE_COLUMNS = [kvCacheUsage, kvBlockCount, kvBlockTokens];

/**
 * Prefers endpoints whose engine reports holding the prompt's blocks. When a candidate reports none,
 * `auto` compares all of them by free KV cache instead, as llm-d of the description's era does. What was
 * sent an instant ago counts as held, so a burst of equal prompts does not scatter before the first report.
 */
export const kvCacheScorer: PluginDefinition = definePlugin({
  type: "kv-cache-scorer",
  stability: "stable",
  state: "none",
  roles: ["score", "onPlan"],
  consumes: USAGE_COLUMNS,
  consumesKvEvents: true,
  params: decodeParams,
  create: ({ mode }, handle) => {
    let ratioBySlot = new Float64Array(0);
    const credit = (request: InferenceRequest, slot: number | undefined): void => {
      if (slot === undefined || mode === "utilization") return;
      // Where an engine reports nothing `auto` does not match blocks, so there is nothing to wait for.
      if (mode === "auto" && !handle.kvBlocks.isReporting(slot)) return;
      handle.kvBlocks.credit(request, slot, CREDIT_MS);
    };
    return {
      score(cycle, candidates, scores) {
        if (mode === "utilization") {
          scoreByUsage(cycle, candidates, scores);
          return;
        }
        if (ratioBySlot.length < cycle.endpoints.slotCount) {
          ratioBySlot = new Float64Array(2 * cycle.endpoints.slotCount);
        }
        if (mode === "auto" && !everyoneReports(candidates, handle.kvBlocks)) {
          scoreByUsage(cycle, candidates, scores);
          return;
        }
        handle.kvBlocks.matchRatios(cycle.request, ratioBySlot);
        for (let i = 0; i < candidates.count; i++) {
          const ratio = ratioBySlot[candidates.slots[i] as number] as number;
          scores[i] = Number.isNaN(ratio) ? UNKNOWN_SCORE : ratio;
        }
      },
      onPlan(cycle, plan) {
        for (const slot of [plan.primary[0], plan.prefill[0]]) credit(cycle.request, slot);
      },
      onRetry(exchange) {
        credit(exchange.request, exchange.slot);
      },
    };
  },
});

/** Prefers free KV cache: 1 − usage, not scaled to the candidates; unknown endpoints score 0.5. */
export const kvCacheUtilizationScorer: PluginDefinition = definePlugin({
  type: "kv-cache-utilization-scorer",
  stability: "stable",
  state: "none",
  roles: ["score"],
  consumes: USAGE_COLUMNS,
  params: noParams,
  create: () => ({ score: scoreByUsage }),
});

function everyoneReports(candidates: Candidates, kvBlocks: KvBlockView): boolean {
  for (let i = 0; i < candidates.count; i++) {
    if (!kvBlocks.isReporting(candidates.slots[i] as number)) return false;
  }
  return true;
}

function scoreByUsage(cycle: Cycle, candidates: Candidates, scores: Float64Array): void {
  const usage = cycle.column(kvCacheUsage);
  const { count, slots } = candidates;
  // Without the sign V8 boxes every score, at 32 bytes a candidate: an imported constant has no type to it.
  const unknown = +UNKNOWN_SCORE;
  for (let i = 0; i < count; i++) {
    const used = usage[slots[i] as number] as number;
    scores[i] = Number.isNaN(used) ? unknown : 1 - used;
  }
}

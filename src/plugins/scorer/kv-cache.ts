import { z } from "zod";
import type { KvBlockView } from "../../endpoints/block-index.ts";
import { kvBlockCount, kvBlockTokens, kvCacheUsage } from "../../endpoints/numeric-attribute.ts";
import type { Candidates, Cycle } from "../../plugin/cycle.ts";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";
import { UNKNOWN_SCORE } from "../../plugin/score-scale.ts";

const decodeParams = paramsOf(
  z.strictObject({ mode: z.enum(["auto", "match", "utilization"]).default("auto") }),
);

/**
 * Prefers endpoints whose engine reports holding the prompt's blocks. When a candidate reports none,
 * `auto` compares all of them by free KV cache instead, as llm-d of the description's era does.
 */
export const kvCacheScorer: PluginDefinition = definePlugin({
  type: "kv-cache-scorer",
  stability: "stable",
  roles: ["score"],
  // Block size and count size the correction of the usage by what was sent since the scrape.
  consumes: [kvCacheUsage, kvBlockCount, kvBlockTokens],
  consumesKvEvents: true,
  params: decodeParams,
  create: ({ mode }, handle) => {
    let ratioBySlot = new Float64Array(0);
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
        handle.kvBlocks.matchRatios(cycle.request.prompt, ratioBySlot);
        for (let i = 0; i < candidates.count; i++) {
          const ratio = ratioBySlot[candidates.slots[i] as number] as number;
          scores[i] = Number.isNaN(ratio) ? UNKNOWN_SCORE : ratio;
        }
      },
    };
  },
});

function everyoneReports(candidates: Candidates, kvBlocks: KvBlockView): boolean {
  for (let i = 0; i < candidates.count; i++) {
    if (!kvBlocks.isReporting(candidates.slots[i] as number)) return false;
  }
  return true;
}

function scoreByUsage(cycle: Cycle, candidates: Candidates, scores: Float64Array): void {
  const usage = cycle.column(kvCacheUsage);
  for (let i = 0; i < candidates.count; i++) {
    const used = usage[candidates.slots[i] as number] as number;
    scores[i] = Number.isNaN(used) ? UNKNOWN_SCORE : 1 - used;
  }
}

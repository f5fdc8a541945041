import { z } from "zod";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";
import { promptLength } from "../../plugin/prompt-length.ts";
import { rejectFaulty } from "../../plugin/reject-faulty.ts";
import { promptTokens } from "../../plugin/request-attribute.ts";
import { UNKNOWN_SCORE } from "../../plugin/score-scale.ts";

const decodeParams = paramsOf(
  z.strictObject({
    label: z.string().min(1).default("llm-d.ai/context-length-range"),
    enableFiltering: z.boolean().default(false),
  }),
);

/** Prefers endpoints whose labelled range of prompt tokens fits tightly; on request it drops the others. */
export const contextLengthAware: PluginDefinition = definePlugin({
  type: "context-length-aware",
  stability: "beta",
  state: "none",
  roles: ["filter", "score"],
  reads: [promptTokens],
  params: decodeParams,
  create: ({ label, enableFiltering }) => ({
    filter(cycle, candidates, reject) {
      if (!enableFiltering) return;
      const tokens = promptLength(cycle);
      const faultOf = (slot: number): string | undefined => {
        const text = cycle.endpoints.labels(slot)[label];
        if (text === undefined) return undefined;
        const range = parseRange(text);
        if (range === undefined) return `label ${label} is no range min-max`;
        return distance(tokens, range) === 0 ? undefined : `prompt is not within ${text} tokens`;
      };
      rejectFaulty(candidates, { faultOf, fallbackOnEmpty: false }, reject);
    },
    score(cycle, candidates, scores) {
      const tokens = promptLength(cycle);
      for (let i = 0; i < candidates.count; i++) {
        const text = cycle.endpoints.labels(candidates.slots[i] as number)[label];
        const range = text === undefined ? undefined : parseRange(text);
        if (range !== undefined) scores[i] = fit(tokens, range);
        else scores[i] = text === undefined ? UNKNOWN_SCORE : 0;
      }
    },
  }),
});

interface TokenRange {
  readonly min: number;
  readonly max: number;
}

/** Everything within a range scores above this, everything outside below: llm-d's constant. */
const OUTSIDE_MAX = 0.3;

/** `min-max` in tokens, both inclusive. */
function parseRange(text: string): TokenRange | undefined {
  const [, min, max] = /^\s*(\d+)\s*-\s*(\d+)\s*$/.exec(text) ?? [];
  const range = { min: Number(min), max: Number(max) };
  return range.min <= range.max ? range : undefined;
}

/** Tokens from the prompt to the nearest end of the range; 0 within. */
function distance(tokens: number, { min, max }: TokenRange): number {
  return Math.max(0, min - tokens, tokens - max);
}

function fit(tokens: number, range: TokenRange): number {
  const outside = distance(tokens, range);
  if (outside > 0) return OUTSIDE_MAX / (1 + outside / 1000);
  const width = range.max - range.min;
  if (width === 0) return 1;
  const tightness = 1 / (1 + width / 10_000);
  const headroom = (range.max - tokens) / width;
  return OUTSIDE_MAX + (1 - OUTSIDE_MAX) * (0.7 * tightness + 0.3 * headroom);
}

import { z } from "zod";
import { inFlightTokens } from "../../endpoints/numeric-attribute.ts";
import type { Candidates, Cycle } from "../../plugin/cycle.ts";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";
import { instanceName, referencesTo } from "../../plugin/plugin-references.ts";
import { prefixMatch } from "../../plugin/request-attribute.ts";

const decodeParams = paramsOf(
  z.strictObject({
    /** Matched blocks / blocks looked for, from which on an endpoint is sticky. */
    affinityThreshold: z.number().min(0).max(1).default(0.8),
    explorationProbability: z.number().min(0).max(1).default(0),
    /** 0 sticks at any price. */
    maxTTFTPenaltyMs: z.number().min(0).default(18_000),
    ttftSource: z.enum(["prefillThroughput", "latencyPredictor"]).default("prefillThroughput"),
    /** Tokens per second of one endpoint; the default is llm-d's, for a 32B model on two H100. */
    peakPrefillThroughput: z.number().positive().default(15_928),
    prefixMatchInfoProducerName: instanceName,
    inFlightLoadProducerName: instanceName,
    latencyPredictionInfoProducerName: instanceName,
  }),
);

/**
 * Keeps the endpoints that hold most of the prompt, unless the best of them would answer much later than
 * the best of the others. Nobody predicts latencies here: with that source everybody is kept.
 */
export const prefixCacheAffinityFilter: PluginDefinition = definePlugin({
  type: "prefix-cache-affinity-filter",
  stability: "beta",
  state: "none",
  roles: ["filter"],
  consumes: [inFlightTokens],
  reads: [prefixMatch],
  params: decodeParams,
  references: ({ prefixMatchInfoProducerName, inFlightLoadProducerName }) =>
    referencesTo("produce", { prefixMatchInfoProducerName, inFlightLoadProducerName }),
  create: (params) => {
    const { affinityThreshold, explorationProbability, maxTTFTPenaltyMs } = params;
    const waitMsOf = (cycle: Cycle): WaitMs => {
      if (params.ttftSource === "latencyPredictor") return () => Number.NaN;
      const tokens = cycle.column(inFlightTokens);
      return (slot) => (1000 * (tokens[slot] as number)) / params.peakPrefillThroughput;
    };
    return {
      filter(cycle, candidates, reject) {
        const match = cycle.get(prefixMatch, params.prefixMatchInfoProducerName);
        if (candidates.count <= 1 || affinityThreshold === 0) return;
        if (explorationProbability > 0 && cycle.rng.next() < explorationProbability) return;
        if (match === undefined || match.blockCount === 0) return;
        const isSticky = (slot: number): boolean =>
          (match.matchedBySlot[slot] ?? 0) / match.blockCount >= affinityThreshold;
        const { stickyCount, penaltyMs } = compare(candidates, isSticky, waitMsOf(cycle));
        if (stickyCount === 0 || stickyCount === candidates.count) return;
        // An unknown penalty is no proof that sticking is cheap.
        if (maxTTFTPenaltyMs > 0 && !(penaltyMs <= maxTTFTPenaltyMs)) return;
        for (let i = 0; i < candidates.count; i++) {
          if (!isSticky(candidates.slots[i] as number)) reject(i, "holds too little of the prompt");
        }
      },
    };
  },
});

/** Milliseconds until the endpoint in the slot could begin with a prompt; NaN when unknown. */
type WaitMs = (slot: number) => number;

/** How many candidates are sticky, and how much longer the best of them makes a request wait. */
function compare(
  candidates: Candidates,
  isSticky: (slot: number) => boolean,
  waitMs: WaitMs,
): { readonly stickyCount: number; readonly penaltyMs: number } {
  let stickyCount = 0;
  let stickyMs = Number.NaN;
  let otherMs = Number.NaN;
  for (let i = 0; i < candidates.count; i++) {
    const slot = candidates.slots[i] as number;
    const ms = waitMs(slot);
    if (isSticky(slot)) {
      stickyCount++;
      stickyMs = lower(ms, stickyMs);
    } else {
      otherMs = lower(ms, otherMs);
    }
  }
  return { stickyCount, penaltyMs: stickyMs - otherMs };
}

/** The lower of two values of which NaN is unknown. */
function lower(value: number, lowest: number): number {
  return Number.isNaN(value) || value >= lowest ? lowest : value;
}

import { z } from "zod";
import { type ProfileName, profileName } from "../../core/brand.ts";
import type { HandlerCycle } from "../../plugin/cycle.ts";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";
import type { HandlerResult } from "../../plugin/plugin-instance.ts";
import { rejectedOutcome } from "../../plugin/profile-rejection.ts";
import { prefixMatch, requestedStage } from "../../plugin/request-attribute.ts";

const decodeParams = paramsOf(
  z.strictObject({
    /** Bytes of prompt that the decode endpoint does not hold from which on prefill is split off; 0 = always. */
    threshold: z.int().min(0).default(0),
    decodeProfile: z.string().min(1).default("decode"),
    prefillProfile: z.string().min(1).default("prefill"),
    /** Accepted as the description's era wrote it; the matched bytes come from the prefix-cache producer. */
    hashBlockSize: z.int().positive().optional(),
    /** Names the prefix scorer of the description's era; the producer's match is used whoever scores it. */
    prefixPluginName: z.string().optional(),
  }),
);

interface Stages {
  readonly threshold: number;
  readonly decode: ProfileName;
  readonly prefill: ProfileName;
}

/** Chooses a decode endpoint, then a prefill endpoint when enough of the prompt is not cached there. */
export const pdProfileHandler: PluginDefinition = definePlugin({
  type: "pd-profile-handler",
  stability: "deprecated",
  roles: ["handler"],
  reads: [prefixMatch, requestedStage],
  params: decodeParams,
  profilesFault: ({ decodeProfile, prefillProfile }, profiles) => {
    const missing = [decodeProfile, prefillProfile].filter((name) => !profiles.includes(name));
    return missing.length === 0
      ? undefined
      : `pd-profile-handler runs the profiles ${decodeProfile} and ${prefillProfile}, missing: ${missing.join(", ")}`;
  },
  create: (params) => {
    const stages: Stages = {
      threshold: params.threshold,
      decode: profileName(params.decodeProfile),
      prefill: profileName(params.prefillProfile),
    };
    return {
      handler: {
        pick: (cycle) => nextStages(cycle, stages),
        result: (cycle) => stageResult(cycle, stages),
      },
    };
  },
});

function nextStages(cycle: HandlerCycle, stages: Stages): readonly ProfileName[] {
  const asked = cycle.get(requestedStage);
  if (asked === "prefill") {
    return cycle.outcome(stages.prefill) === undefined ? [stages.prefill] : [];
  }
  const decode = cycle.outcome(stages.decode);
  if (decode === undefined) return [stages.decode];
  if (asked === "decode" || decode.kind !== "picked") return [];
  if (cycle.outcome(stages.prefill) !== undefined) return [];
  const decodeSlot = decode.slots[0];
  if (decodeSlot === undefined) return [];
  return isSplit(cycle, stages.threshold, decodeSlot) ? [stages.prefill] : [];
}

/** At the threshold itself the request is split: the comparison that keeps it whole is strict. */
function isSplit(cycle: HandlerCycle, threshold: number, decodeSlot: number): boolean {
  if (threshold === 0) return true;
  const match = cycle.get(prefixMatch);
  const cachedBytes =
    match === undefined ? 0 : (match.matchedBySlot[decodeSlot] ?? 0) * match.blockBytes;
  return cycle.request.prompt.sizeBytes - cachedBytes >= threshold;
}

function stageResult(cycle: HandlerCycle, stages: Stages): HandlerResult {
  const alone = cycle.get(requestedStage) === "prefill";
  const primary = alone ? stages.prefill : stages.decode;
  const outcome = cycle.outcome(primary);
  if (outcome?.kind !== "picked") {
    return { kind: "rejected", rejection: rejectedOutcome(primary, outcome) };
  }
  const prefill = alone ? undefined : cycle.outcome(stages.prefill);
  if (prefill?.kind === "failed") {
    return { kind: "rejected", rejection: rejectedOutcome(stages.prefill, prefill) };
  }
  // A prefill profile that found nobody leaves the request whole: decode computes the prompt itself.
  const isSplitRequest = prefill?.kind === "picked";
  return { kind: "scheduled", primary, prefill: isSplitRequest ? stages.prefill : undefined };
}

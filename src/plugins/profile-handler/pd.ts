import { z } from "zod";
import { type ProfileName, profileName } from "../../core/brand.ts";
import type { HandlerCycle } from "../../plugin/cycle.ts";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { type Decide, namedDecider } from "../../plugin/named-decider.ts";
import { paramsOf } from "../../plugin/params.ts";
import type { HandlerResult } from "../../plugin/plugin-instance.ts";
import { instanceName, referencesTo } from "../../plugin/plugin-references.ts";
import { rejectedOutcome } from "../../plugin/profile-rejection.ts";
import { prefixMatch, requestedStage } from "../../plugin/request-attribute.ts";

const decodeParams = paramsOf(
  z
    .strictObject({
      /**
       * Bytes of prompt that the decode endpoint does not hold from which on prefill is split off;
       * 0 = always.
       */
      threshold: z.int().min(0).optional(),
      /** Decider that is asked in place of the threshold. */
      deciderPluginName: instanceName,
      decodeProfile: z.string().min(1).default("decode"),
      prefillProfile: z.string().min(1).default("prefill"),
      /** Port at which the decode endpoint is reached instead of its own; 0 = its own. */
      primaryPort: z.int().min(0).max(65_535).default(0),
      /** Producer of the matched blocks that the threshold leaves out. */
      prefixMatchInfoProducerName: instanceName,
      /** Accepted as files write it; the matched bytes come from the prefix-cache producer. */
      hashBlockSize: z.int().positive().optional(),
      /** Name the prefix scorer in files; the producer's match is used whoever scores it. */
      prefixPluginType: z.string().optional(),
      prefixPluginName: z.string().optional(),
    })
    .refine((params) => params.threshold === undefined || params.deciderPluginName === undefined, {
      path: ["deciderPluginName"],
      message: "threshold decides already; remove one of them",
    }),
);

interface Stages {
  readonly decode: ProfileName;
  readonly prefill: ProfileName;
  readonly isSplit: Decide;
  readonly primaryPort: number | undefined;
}

/**
 * Chooses a decode endpoint, then a prefill endpoint when enough of the prompt is not cached there.
 */
export const pdProfileHandler: PluginDefinition = definePlugin({
  type: "pd-profile-handler",
  stability: "deprecated",
  state: "none",
  roles: ["handler"],
  reads: [prefixMatch, requestedStage],
  params: decodeParams,
  references: ({ deciderPluginName, prefixMatchInfoProducerName }) => [
    ...referencesTo("decide", { deciderPluginName }),
    ...referencesTo("produce", { prefixMatchInfoProducerName }),
  ],
  profilesFault: ({ decodeProfile, prefillProfile }, profiles) => {
    if (decodeProfile === prefillProfile) {
      return `pd-profile-handler needs two profiles, both stages are ${decodeProfile}`;
    }
    const missing = [decodeProfile, prefillProfile].filter((name) => !profiles.includes(name));
    return missing.length === 0
      ? undefined
      : `pd-profile-handler runs the profiles ${decodeProfile} and ${prefillProfile}, missing: ${missing.join(", ")}`;
  },
  create: (params, handle) => {
    const stages: Stages = {
      decode: profileName(params.decodeProfile),
      prefill: profileName(params.prefillProfile),
      isSplit:
        params.deciderPluginName === undefined
          ? byThreshold(params.threshold ?? 0, params.prefixMatchInfoProducerName)
          : namedDecider(handle, params.deciderPluginName),
      primaryPort: params.primaryPort === 0 ? undefined : params.primaryPort,
    };
    return {
      handler: {
        pick: (cycle) => nextStages(cycle, stages),
        result: (cycle) => stageResult(cycle, stages),
      },
    };
  },
});

/**
 * At the threshold itself the request is split: the comparison that keeps it whole is strict.
 * Without a match nothing counts as cached, so what may be long is split.
 */
function byThreshold(threshold: number, producer: string | undefined): Decide {
  return (cycle, decodeSlot) => {
    if (threshold === 0) return true;
    const match = cycle.get(prefixMatch, producer);
    const matched = decodeSlot === undefined ? 0 : (match?.matchedBySlot[decodeSlot] ?? 0);
    return cycle.request.prompt.sizeBytes - matched * (match?.blockBytes ?? 0) >= threshold;
  };
}

function nextStages(cycle: HandlerCycle, stages: Stages): readonly ProfileName[] {
  const asked = cycle.get(requestedStage);
  if (asked === "prefill") {
    return cycle.outcome(stages.prefill) === undefined ? [stages.prefill] : [];
  }
  const decode = cycle.outcome(stages.decode);
  if (decode === undefined) return [stages.decode];
  if (asked === "decode" || decode.kind !== "picked") return [];
  if (cycle.outcome(stages.prefill) !== undefined) return [];
  return stages.isSplit(cycle, decode.slots[0]) ? [stages.prefill] : [];
}

function stageResult(cycle: HandlerCycle, stages: Stages): HandlerResult {
  const alone = cycle.get(requestedStage) === "prefill";
  const primary = alone ? stages.prefill : stages.decode;
  const outcome = cycle.outcome(primary);
  if (outcome?.kind !== "picked") {
    return { kind: "rejected", rejection: rejectedOutcome(primary, outcome) };
  }
  // A prefill profile that found nobody leaves the request whole: decode computes the prompt
  // itself.
  const isSplitRequest = !alone && cycle.outcome(stages.prefill)?.kind === "picked";
  return {
    kind: "scheduled",
    primary,
    prefill: isSplitRequest ? stages.prefill : undefined,
    // Only decode hosts have ranks behind one port.
    primaryPort: alone ? undefined : stages.primaryPort,
  };
}

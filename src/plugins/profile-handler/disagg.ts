import { z } from "zod";
import { type ProfileName, profileName } from "../../core/brand.ts";
import type { HandlerCycle } from "../../plugin/cycle.ts";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { type Decide, namedDecider } from "../../plugin/named-decider.ts";
import { paramsOf } from "../../plugin/params.ts";
import type { HandlerResult } from "../../plugin/plugin-instance.ts";
import { instanceName, referencesTo } from "../../plugin/plugin-references.ts";
import { rejectedOutcome } from "../../plugin/profile-rejection.ts";
import { setEncodersHeader, setPrefillerHeader } from "../../plugin/stage-headers.ts";

type Stage = "decode" | "encode" | "prefill";

const DECODE_FIRST: readonly Stage[] = ["decode", "encode", "prefill"];
const PREFILL_FIRST: readonly Stage[] = ["prefill", "encode", "decode"];
const STAGE_ORDERS = {
  "decode-first": DECODE_FIRST,
  DecodeFirst: DECODE_FIRST,
  "prefill-first": PREFILL_FIRST,
  PrefillFirst: PREFILL_FIRST,
} as const;
type StageOrder = keyof typeof STAGE_ORDERS;

/** The flat keys of earlier files, which stand for members of `profiles` and `deciders`. */
const FLAT_KEYS = [
  "decodeProfile",
  "prefillProfile",
  "encodeProfile",
  "deciderPluginName",
  "prefillDeciderPluginName",
  "encodeDeciderPluginName",
] as const;

const stageProfile = z.string().min(1).optional();

const fileParams = z.strictObject({
  stageOrder: z.enum(Object.keys(STAGE_ORDERS) as [StageOrder, ...StageOrder[]]).optional(),
  profiles: z
    .strictObject({ decode: stageProfile, prefill: stageProfile, encode: stageProfile })
    .optional(),
  deciders: z.strictObject({ prefill: instanceName, encode: instanceName }).optional(),
  decodeProfile: stageProfile,
  prefillProfile: stageProfile,
  encodeProfile: stageProfile,
  /** Names the prefill decider, as `prefillDeciderPluginName` does. */
  deciderPluginName: instanceName,
  prefillDeciderPluginName: instanceName,
  encodeDeciderPluginName: instanceName,
});

interface DisaggParams {
  readonly order: readonly Stage[];
  readonly profiles: Readonly<Record<Stage, ProfileName>>;
  /** Names of the deciders with the parameter that named each. */
  readonly deciders: Readonly<Partial<Record<Stage, NamedBy>>>;
}

interface NamedBy {
  readonly path: string;
  readonly name: string;
}

const decodeParams = paramsOf(fileParams.superRefine(reportConflicts).transform(toParams));

/**
 * Chooses endpoints stage by stage. Decode first: decode, then encode and prefill where a decider
 * wants them. Prefill first: prefill always, encode by its decider, decode.
 */
export const disaggProfileHandler: PluginDefinition = definePlugin({
  type: "disagg-profile-handler",
  stability: "beta",
  state: "none",
  roles: ["handler", "onPlan"],
  params: decodeParams,
  references: ({ deciders }) =>
    Object.values(deciders).flatMap(({ path, name }) => referencesTo("decide", { [path]: name })),
  profilesFault: ({ profiles }, configured) => profilesFault(profiles, configured),
  create: ({ order, profiles, deciders }, handle) => {
    const decides = new Map<Stage, Decide>();
    for (const stage of ["encode", "prefill"] as const) {
      const decider = deciders[stage];
      if (decider !== undefined) decides.set(stage, namedDecider(handle, decider.name));
    }
    // Prefill first leaves nothing to decide about prefill: it runs before there is a decode
    // endpoint.
    if (order === PREFILL_FIRST) decides.set("prefill", () => true);
    return {
      handler: {
        pick: (cycle) => nextStage(cycle, order, profiles, decides),
        result: (cycle) => stageResult(cycle, profiles),
      },
      onPlan(_cycle, plan) {
        setPrefillerHeader(plan, handle);
        setEncodersHeader(plan, handle);
      },
    };
  },
});

function reportConflicts(file: z.infer<typeof fileParams>, context: z.RefinementCtx): void {
  const report = (path: readonly string[], message: string): void =>
    context.addIssue({ code: "custom", path: [...path], message });
  const flat = FLAT_KEYS.find((key) => file[key] !== undefined);
  if (flat !== undefined && (file.profiles !== undefined || file.deciders !== undefined)) {
    report([flat], "write either profiles and deciders or the flat keys, not both");
  }
  if (file.deciderPluginName !== undefined && file.prefillDeciderPluginName !== undefined) {
    report(["deciderPluginName"], "prefillDeciderPluginName names the prefill decider already");
  }
  const prefill = prefillDecider(file);
  if (prefill !== undefined && orderOf(file) === PREFILL_FIRST) {
    report(
      prefill.path.split("."),
      "prefill-first always runs prefill and takes no decider for it",
    );
  }
}

function orderOf(file: z.infer<typeof fileParams>): readonly Stage[] {
  return STAGE_ORDERS[file.stageOrder ?? "decode-first"];
}

function toParams(file: z.infer<typeof fileParams>): DisaggParams {
  const prefill = prefillDecider(file);
  const encode = firstNamed({
    "deciders.encode": file.deciders?.encode,
    encodeDeciderPluginName: file.encodeDeciderPluginName,
  });
  return {
    order: orderOf(file),
    profiles: {
      decode: profileName(file.profiles?.decode ?? file.decodeProfile ?? "decode"),
      prefill: profileName(file.profiles?.prefill ?? file.prefillProfile ?? "prefill"),
      encode: profileName(file.profiles?.encode ?? file.encodeProfile ?? "encode"),
    },
    deciders: {
      ...(prefill === undefined ? {} : { prefill }),
      ...(encode === undefined ? {} : { encode }),
    },
  };
}

function prefillDecider(file: z.infer<typeof fileParams>): NamedBy | undefined {
  return firstNamed({
    "deciders.prefill": file.deciders?.prefill,
    prefillDeciderPluginName: file.prefillDeciderPluginName,
    deciderPluginName: file.deciderPluginName,
  });
}

function firstNamed(names: Readonly<Record<string, string | undefined>>): NamedBy | undefined {
  for (const [path, name] of Object.entries(names)) if (name !== undefined) return { path, name };
  return undefined;
}

function profilesFault(
  profiles: DisaggParams["profiles"],
  configured: readonly string[],
): string | undefined {
  const { decode, prefill, encode } = profiles;
  if (new Set([decode, prefill, encode]).size < 3) {
    return `each stage needs its own profile: decode ${decode}, prefill ${prefill}, encode ${encode}`;
  }
  return configured.includes(decode)
    ? undefined
    : `disagg-profile-handler runs the profile ${decode}, which is missing`;
}

/**
 * The first stage after those that ran that is wanted; a stage that was passed over is not asked
 * again.
 */
function nextStage(
  cycle: HandlerCycle,
  order: readonly Stage[],
  profiles: DisaggParams["profiles"],
  decides: ReadonlyMap<Stage, Decide>,
): readonly ProfileName[] {
  const decode = cycle.outcome(profiles.decode);
  if (decode !== undefined && decode.kind !== "picked") return [];
  const ranCount = order.findLastIndex((stage) => cycle.outcome(profiles[stage]) !== undefined) + 1;
  const next = order.slice(ranCount).find((stage) => {
    if (stage === "decode") return true;
    if (!cycle.profiles.includes(profiles[stage])) return false;
    return decides.get(stage)?.(cycle, decode?.slots[0]) ?? false;
  });
  return next === undefined ? [] : [profiles[next]];
}

/**
 * Decode must have an endpoint; any other stage that found nobody is left out, and decode does its
 * work.
 */
function stageResult(cycle: HandlerCycle, profiles: DisaggParams["profiles"]): HandlerResult {
  const decode = cycle.outcome(profiles.decode);
  if (decode?.kind !== "picked") {
    return { kind: "rejected", rejection: rejectedOutcome(profiles.decode, decode) };
  }
  const ifPicked = (profile: ProfileName): ProfileName | undefined =>
    cycle.outcome(profile)?.kind === "picked" ? profile : undefined;
  return {
    kind: "scheduled",
    primary: profiles.decode,
    prefill: ifPicked(profiles.prefill),
    encode: ifPicked(profiles.encode),
  };
}

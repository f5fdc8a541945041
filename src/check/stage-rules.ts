import { requestedStage } from "../plugin/request-attribute.ts";
import { onTargets, pickerFails } from "./on-targets.ts";
import {
  hasRole,
  isType,
  type Picker,
  pluginsOf,
  type SplitHandler,
  splitHandler,
  type WrittenProfile,
} from "./picker.ts";
import type { Finding, Rule } from "./rule.ts";
import type { Subject } from "./subject.ts";

/** Rules about profiles that split prefill from decode. */
export const STAGE_RULES: readonly Rule<Subject>[] = [
  {
    id: "C9",
    severity: "error",
    group: "C",
    title: "prefill pool that no handler uses",
    why:
      "Prefill endpoints are in the same pool: without a handler that splits they get " +
      "ordinary requests, or none at all.",
    fix:
      "Use disagg-profile-handler (pd-profile-handler before 0.7) with the profiles " +
      "prefill and decode, or drop spec.prefill.",
    check: ({ picker, manifest }) => {
      if (picker === undefined || manifest?.prefill === undefined) return [];
      const isHandled = pluginsOf(picker, ...STAGE_HANDLERS).length > 0;
      if (isHandled) return [];
      const handler = picker.plugins.find((plugin) => hasRole(plugin, "handler"));
      const message =
        `spec.prefill is there, and ${handler?.type ?? "the default handler"} does not ` +
        "split requests";
      return [{ message, position: handler?.typePosition ?? picker.root.position }];
    },
  },
  {
    id: "C10",
    severity: "error",
    group: "C",
    title: "handler that splits without a prefill pool",
    why:
      "The prefill profile finds no endpoint, so each request pays for a search and is " +
      "served by decode alone.",
    fix: "Add spec.prefill, or use single-profile-handler.",
    check: ({ picker, manifest }) => {
      const handler = splitHandler(picker);
      if (handler === undefined || manifest === undefined || manifest.prefill !== undefined) {
        return [];
      }
      const message = `${handler.plugin.type} splits requests, and there is no spec.prefill`;
      return [{ message, position: handler.plugin.typePosition }];
    },
  },
  {
    id: "C11",
    severity: "error",
    group: "C",
    title: "stage profile without its role filter",
    why:
      "One pool holds both roles: without the filter the profile picks endpoints of the " +
      "other stage.",
    fix:
      "List decode-filter first in the decode profile and prefill-filter first in the " +
      "prefill profile.",
    check: ({ picker }) => {
      const handler = splitHandler(picker);
      return handler === undefined
        ? []
        : STAGES.flatMap((stage) => {
            const profile = handler[stage];
            if (profile === undefined || filtersByRole(profile)) return [];
            const message = `profile ${profile.name} has no ${stage}-filter`;
            return [{ message, position: profile.position }];
          });
    },
  },
  {
    id: "C12",
    severity: "error",
    group: "C",
    title: "role filters swapped",
    why:
      "Decode requests go to prefill endpoints and the other way round; prefill endpoints " +
      "have no sidecar.",
    fix: "Put decode-filter into the decode profile and prefill-filter into the prefill profile.",
    check: ({ picker }) => {
      const handler = splitHandler(picker);
      return handler === undefined
        ? []
        : STAGES.flatMap((stage) => {
            const wrong = `${stage === "decode" ? "prefill" : "decode"}-filter`;
            return (handler[stage]?.uses ?? [])
              .filter(({ plugin }) => isType(plugin, wrong))
              .map(({ position }) => ({ message: `${wrong} in the ${stage} profile`, position }));
          });
    },
  },
  {
    id: "C13",
    severity: "error",
    group: "C",
    title: "nobody writes the prefill header",
    why:
      "The sidecar learns the prefill endpoint from x-prefiller-host-port: without it " +
      "each request is prefilled on the decode endpoint.",
    fix: "List prefill-header-handler (disagg-headers-handler since 0.7) in plugins.",
    check: headerFindings,
  },
  {
    id: "C14",
    severity: "warning",
    group: "C",
    title: "threshold without prefix facts",
    why:
      "What is cached on the decode endpoint is not known, so the whole prompt counts as " +
      "not cached: prompts split that are warm already.",
    fix: "Put prefix-cache-scorer into the decode profile.",
    check: ({ picker }) => {
      const threshold = picker === undefined ? undefined : thresholdOf(picker);
      if (picker === undefined || threshold === undefined || threshold.units === 0) return [];
      const decode = splitHandler(picker)?.decode;
      const isCovered =
        decode?.uses.some(({ plugin }) => isType(plugin, ...PREFIX_SCORERS)) === true;
      if (isCovered) return [];
      const message = `${threshold.name} ${threshold.units} and no prefix scorer in the decode profile`;
      return [{ message, position: threshold.position }];
    },
  },
  {
    id: "C15",
    severity: "advice",
    group: "C",
    title: "what the threshold means",
    why:
      "It does not sort requests into prefill and decode ones: decode is chosen first, " +
      "and the threshold decides from the part of the prompt that is not cached there " +
      "whether a prefill endpoint computes it. A threshold longer than any prompt never " +
      "splits.",
    fix:
      "Set it near the prompt length from which a transfer is cheaper than local prefill; " +
      "measure with compare.",
    check: thresholdFindings,
  },
  {
    id: "X1",
    severity: "warning",
    group: "X",
    title: "X-Prefill that nobody reads",
    why:
      "The hook turns the client's X-Prefill into an attribute that only a handler of " +
      "stages reads; with another handler the header does nothing.",
    fix: "Use pd-profile-handler or disagg-profile-handler, or drop the hook.",
    check: ({ picker }) => {
      const handler = picker?.config.plugins.find(({ definition }) =>
        definition.roles.includes("handler"),
      );
      if (picker === undefined || handler?.definition.reads?.includes(requestedStage)) return [];
      return picker.plugins
        .filter(({ entry }) => entry.definition.produces?.includes(requestedStage))
        .map(({ type, typePosition }) => ({
          message:
            `${type} reads X-Prefill, and ${handler?.definition.type ?? "no handler"} ` +
            "does not use it",
          position: typePosition,
        }));
    },
  },
];

const STAGES = ["decode", "prefill"] as const;
const STAGE_HANDLERS = [
  "pd-profile-handler",
  "disagg-profile-handler",
  "header-profile-handler",
] as const;
const PREFIX_SCORERS = ["prefix-cache-scorer", "precise-prefix-cache-scorer"] as const;
/** Filters that can tell roles apart; those by label are taken to do so. */
const ROLE_FILTERS = [
  "decode-filter",
  "prefill-filter",
  "by-label",
  "by-label-selector",
  "label-selector-filter",
] as const;

function filtersByRole(profile: WrittenProfile): boolean {
  return profile.uses.some(({ plugin }) => isType(plugin, ...ROLE_FILTERS));
}

function headerFindings({ picker, target }: Subject): readonly Finding[] {
  const handler = splitHandler(picker);
  if (picker === undefined || handler === undefined) return [];
  const { plugin } = handler;
  const hasWriter =
    pluginsOf(picker, "prefill-header-handler", "disagg-headers-handler").length > 0;
  if (hasWriter) return [];
  const message = `${plugin.type} splits requests, and nothing writes x-prefiller-host-port`;
  const position = plugin.typePosition;
  // A handler that has plan hooks of its own writes the header itself, as llm-d's does since 0.9.
  if (target.picker === undefined && !hasRole(plugin, "onPlan")) return [{ message, position }];
  return onTargets(target, {
    message,
    position,
    fails: pickerFails(({ minor }) => isType(plugin, "pd-profile-handler") || minor < 9),
  });
}

interface Threshold {
  readonly name: string;
  readonly units: number;
  readonly bytes: number;
  readonly position: Finding["position"];
}

function thresholdOf(picker: Picker): Threshold | undefined {
  const [handler] = pluginsOf(picker, "pd-profile-handler");
  const [decider] = pluginsOf(picker, "prefix-based-pd-decider");
  if (decider !== undefined) {
    const units = Number(decider.parameters["nonCachedTokens"] ?? 0);
    const position = decider.at("nonCachedTokens");
    return { name: "nonCachedTokens", units, bytes: 4 * units, position };
  }
  if (handler === undefined) return undefined;
  const units = Number(handler.parameters["threshold"] ?? 0);
  return { name: "threshold", units, bytes: units, position: handler.at("threshold") };
}

function thresholdFindings({ picker, manifest, facts }: Subject): readonly Finding[] {
  const handler: SplitHandler | undefined = splitHandler(picker);
  const threshold = picker === undefined ? undefined : thresholdOf(picker);
  if (handler === undefined || threshold === undefined) return [];
  const { name, units, bytes, position } = threshold;
  if (name === "threshold" && units === 0) {
    const message =
      "threshold 0 splits every request; " +
      "above 0 it counts bytes of prompt that decode has not cached";
    return [{ message, position }];
  }
  if (units === 0) return [];
  const service = manifest?.service;
  const contextTokens =
    service?.main.engineArguments.maxModelLen ??
    facts.model(service?.modelName ?? "")?.contextTokens;
  if (contextTokens !== undefined && bytes > 4 * contextTokens) {
    const message =
      `${name} ${units} is about ${bytes / 4} tokens, and a prompt has ` +
      `${contextTokens} at most: nothing is ever split`;
    return [{ message, position, severity: "warning" }];
  }
  const unit = name === "threshold" ? `bytes (about ${Math.round(bytes / 4)} tokens)` : "tokens";
  const message = `requests split from ${units} ${unit} of prompt that the decode endpoint has not cached`;
  return [{ message, position }];
}

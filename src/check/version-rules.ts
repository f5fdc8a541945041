import { onTargets, pickerFails } from "./on-targets.ts";
import type { Picker } from "./picker.ts";
import { hasRole, pluginsOf } from "./picker.ts";
import { isRegistered, MOVED_PREFIX_PARAMETERS, PLUGIN_HISTORY } from "./plugin-history.ts";
import type { Finding, Rule } from "./rule.ts";
import type { Subject } from "./subject.ts";
import type { PickerPlatform } from "./targets.ts";

/** Group B and its kin as far as the scheduler configuration decides them. */
export const VERSION_RULES: readonly Rule<Subject>[] = [
  {
    id: "B2",
    severity: "error",
    group: "B",
    title: "plugin type or parameter unknown to the target's picker",
    why: "The picker refuses its configuration at start and its pod restarts for ever.",
    fix:
      "Use the name or the place of that release: kv-cache-utilization-scorer since 0.3, " +
      "a decider instead of threshold since 0.7, approx-prefix-cache-producer for the " +
      "prefix cache since 0.9.",
    check: forPicker((picker, subject) => [
      ...unknownTypes(picker, subject),
      ...refusedParameters(picker, subject),
    ]),
  },
  {
    id: "B3",
    severity: "warning",
    group: "B",
    title: "deprecated plugin type",
    why: "It still loads, and a later release removes it; KServe reports DeprecatedPlugin.",
    fix: "Move to the type that is named, or let the platform's migration do it.",
    check: forPicker((picker, { target }) =>
      picker.plugins.flatMap(({ type, typePosition }) => {
        const deprecated = PLUGIN_HISTORY.get(type)?.deprecated;
        if (deprecated === undefined) return [];
        const message =
          `${type} is deprecated since llm-d 0.${deprecated.since}: use ` + `${deprecated.instead}`;
        const fails = pickerFails(({ minor }) => minor >= deprecated.since);
        return fails(target)
          ? [{ message, position: typePosition }]
          : [{ message, position: typePosition, severity: "note" as const }];
      }),
    ),
  },
  {
    id: "B8",
    severity: "warning",
    group: "B",
    title: "threshold that the platform rewrites to tokens",
    why:
      "KServe divides the bytes by 4, so prompts in other languages than English split at " +
      "other lengths than before.",
    fix:
      "Write disagg-profile-handler with prefix-based-pd-decider and the number of tokens " +
      "that is meant.",
    check: forPicker((picker, { target }) =>
      pluginsOf(picker, "pd-profile-handler").flatMap((plugin) => {
        const threshold = plugin.parameters["threshold"];
        if (typeof threshold !== "number" || threshold === 0) return [];
        return onTargets(target, {
          message: `threshold ${threshold} becomes nonCachedTokens ${Math.ceil(threshold / 4)}`,
          position: plugin.at("threshold"),
          fails: pickerFails(({ isMigrating }) => isMigrating),
        });
      }),
    ),
  },
  {
    id: "B9",
    severity: "error",
    group: "B",
    title: "decider that never splits",
    why:
      "For the old threshold 0 means always, for nonCachedTokens 0 means never: all " +
      "requests stay on the decode endpoints.",
    fix: "Use always-disagg-pd-decider to split every request, or give nonCachedTokens above 0.",
    check: forPicker((picker) =>
      pluginsOf(picker, "prefix-based-pd-decider").flatMap((plugin) => {
        const tokens = plugin.parameters["nonCachedTokens"] ?? 0;
        if (tokens !== 0) return [];
        return [
          {
            message: `${plugin.name} has nonCachedTokens 0, which never splits a request`,
            position: plugin.at("nonCachedTokens"),
          },
        ];
      }),
    ),
  },
  {
    id: "C26",
    severity: "error",
    group: "C",
    title: "apiVersion of another era",
    why:
      "A picker reads one group: llm-d.ai since 0.9, inference.networking.x-k8s.io " +
      "before; since 0.9 the old one is read with a deprecation log.",
    fix: "Write the apiVersion of the target's release.",
    check: forPicker(apiVersionFindings),
  },
  {
    id: "C3",
    severity: "error",
    group: "C",
    title: "profile without picker on a release that has no default",
    why: "llm-d 0.2 does not add a picker: the first request crashes it.",
    fix: "List max-score-picker in plugins and in the profile.",
    check: forPicker((picker, { target }) =>
      picker.profiles.flatMap(({ name, position, uses }) =>
        uses.some(({ plugin }) => hasRole(plugin, "pick"))
          ? []
          : onTargets(target, {
              message: `profile ${name} names no picker`,
              position,
              fails: pickerFails(isFirstRelease),
            }),
      ),
    ),
  },
  {
    id: "C7",
    severity: "error",
    group: "C",
    title: "no profile handler on a release that has no default",
    why:
      "llm-d 0.2 demands one and stops at start; later releases add " +
      "single-profile-handler for one profile.",
    fix: "List single-profile-handler in plugins.",
    check: forPicker((picker, { target }) =>
      picker.plugins.some((plugin) => hasRole(plugin, "handler"))
        ? []
        : onTargets(target, {
            message: "no profile handler is listed",
            position: picker.root.positionOf(["plugins"]),
            fails: pickerFails(isFirstRelease),
          }),
    ),
  },
  {
    id: "C23",
    severity: "error",
    group: "C",
    title: "weight that the release cannot read",
    why:
      "llm-d 0.2 demands a weight for each scorer; weights are integers before release " +
      "0.7, and 1.5 is refused.",
    fix: "Give each scorer a whole number as weight; multiply all of them if a ratio needs it.",
    check: forPicker(weightFindings),
  },
];

function forPicker(
  check: (picker: Picker, subject: Subject) => readonly Finding[],
): (subject: Subject) => readonly Finding[] {
  return (subject) => (subject.picker === undefined ? [] : check(subject.picker, subject));
}

function isFirstRelease({ minor }: PickerPlatform): boolean {
  return minor <= 2;
}

function unknownTypes(picker: Picker, { target }: Subject): readonly Finding[] {
  return picker.plugins.flatMap(({ type, typePosition }) =>
    onTargets(target, {
      message: `the picker has no plugin type ${type}`,
      position: typePosition,
      fails: pickerFails(({ minor }) => !isRegistered(type, minor)),
    }),
  );
}

function refusedParameters(picker: Picker, { target }: Subject): readonly Finding[] {
  const refusals = [
    { type: "prefix-cache-scorer", parameters: MOVED_PREFIX_PARAMETERS },
    { type: "pd-profile-handler", parameters: ["threshold", "hashBlockSize"] },
  ];
  return refusals.flatMap(({ type, parameters }) =>
    pluginsOf(picker, type).flatMap((plugin) => {
      const refused = parameters.filter((name) => plugin.parameters[name] !== undefined);
      const [first] = refused;
      if (first === undefined) return [];
      return onTargets(target, {
        message: `${type} takes no ${refused.join(", ")}`,
        position: plugin.at(first),
        // Before 0.9 unknown parameters were left out of account.
        fails: pickerFails(({ minor, isMigrating }) => minor >= 9 && !isMigrating),
      });
    }),
  );
}

function apiVersionFindings(picker: Picker, { target }: Subject): readonly Finding[] {
  const position = picker.root.positionOf(["apiVersion"]);
  const apiVersion = String(picker.root.at("apiVersion")?.value);
  if (apiVersion.startsWith("llm-d.ai/")) {
    return onTargets(target, {
      message: `the picker does not know apiVersion ${apiVersion}`,
      position,
      fails: pickerFails(({ minor }) => minor < 9),
    });
  }
  const isDeprecated = pickerFails(({ minor, isMigrating }) => minor >= 9 && !isMigrating)(target);
  if (!isDeprecated) return [];
  return [{ message: `apiVersion ${apiVersion} is deprecated`, position, severity: "warning" }];
}

function weightFindings(picker: Picker, { target }: Subject): readonly Finding[] {
  return picker.profiles.flatMap(({ uses }) =>
    uses
      .filter(({ plugin }) => hasRole(plugin, "score"))
      .flatMap(({ plugin, weight, hasWeight, position, weightPosition }) => {
        const message = hasWeight
          ? `the weight ${weight} of ${plugin.name} is not a whole number`
          : `${plugin.name} has no weight`;
        if (hasWeight && Number.isInteger(weight)) return [];
        return onTargets(target, {
          message,
          position: hasWeight ? weightPosition : position,
          fails: pickerFails(hasWeight ? ({ minor }) => minor < 7 : isFirstRelease),
        });
      }),
  );
}

import { ROLES, type Role } from "../plugin/plugin-instance.ts";
import { forManifest } from "./for-manifest.ts";
import {
  hasRole,
  isType,
  type Picker,
  type PluginUse,
  pluginsOf,
  splitHandler,
  usesWith,
  type WrittenProfile,
} from "./picker.ts";
import type { Finding, Rule } from "./rule.ts";
import { type Manifest, type PoolView, poolsOf, type Subject } from "./subject.ts";

/** Rules about scores: which can change a decision, which always win, which do nothing. */
export const SCORE_RULES: readonly Rule<Subject>[] = [
  {
    id: "C5",
    severity: "warning",
    group: "C",
    title: "random picker with scorers",
    why: "random-picker draws without looking at scores: the scorers cost time and change nothing.",
    fix: "Use max-score-picker or weighted-random-picker, or drop the scorers.",
    check: forProfiles((profile) => {
      const picker = profile.uses.find(({ plugin }) => isType(plugin, "random-picker"));
      const scorers = usesWith(profile, "score");
      if (picker === undefined || scorers.length === 0) return [];
      const message = `random-picker ignores the scores of ${namesOf(scorers)}`;
      return [{ message, position: picker.position }];
    }),
  },
  {
    id: "C6",
    severity: "warning",
    group: "C",
    title: "max-score picker without scorers",
    why:
      "All totals are 0, and equal totals are drawn by lot: it is random-picker under " +
      "another name.",
    fix: "Add scorers, or say random-picker.",
    check: forProfiles((profile) => {
      const picker = profile.uses.find(({ plugin }) => isType(plugin, ...SCORE_PICKERS));
      if (picker === undefined || usesWith(profile, "score").length > 0) return [];
      const message = `${picker.plugin.name} has no scores to compare in profile ${profile.name}`;
      return [{ message, position: picker.position }];
    }),
  },
  {
    id: "C22",
    severity: "warning",
    group: "C",
    title: "scorers and one endpoint",
    why:
      "With one endpoint there is nothing to choose: what the profile computes cannot " +
      "change where a request goes.",
    fix: "Raise replicas, or expect nothing of the scheduler until they are.",
    check: forManifest((manifest, { picker }) =>
      picker === undefined ? [] : poolsOf(manifest).flatMap((view) => loneEndpoint(view, picker)),
    ),
  },
  {
    id: "C24",
    severity: "advice",
    group: "C",
    title: "scorers that pull against or double each other",
    why:
      "A warm endpoint is a used one: prefix hits and free KV cache point to different " +
      "endpoints, and two measures of load count load twice.",
    fix: "Keep one measure of load, and give the prefix scorer the weight that a hit is worth.",
    check: forProfiles(opposingScorers),
  },
  {
    id: "C28",
    severity: "advice",
    group: "C",
    title: "LoRA adapters and their scorer",
    why:
      "Without lora-affinity-scorer requests for an adapter go where it is not loaded; " +
      "without adapters the scorer is equal for all.",
    fix: "List lora-affinity-scorer exactly where spec.model.lora.adapters are.",
    check: forManifest(loraFindings),
  },
  {
    id: "S1",
    severity: "warning",
    group: "S",
    title: "scorer that can never change a decision",
    why:
      "Its weighted score is the same for every candidate. One endpoint (C22) and " +
      "random-picker (C5) have the same effect on all scorers.",
    fix: "Give it a weight above 0 or what it needs to tell endpoints apart, or drop it.",
    check: (subject) =>
      (subject.picker?.profiles ?? []).flatMap((profile) =>
        usesWith(profile, "score").flatMap((use) => constantScorer(use, subject)),
      ),
  },
  {
    id: "S2",
    severity: "advice",
    group: "S",
    title: "scorer that outweighs all others together",
    why:
      "Scores are 0 to 1, so where its scores differ by the named share or more, no other " +
      "scorer can change the winner; the others decide only nearer ties.",
    fix: "Fine if that order is meant; else lower the weight to at most the sum of the others.",
    check: forProfiles(dominantScorer),
  },
  {
    id: "S4",
    severity: "warning",
    group: "S",
    title: "plugin that is listed and not in effect",
    why:
      "Filters, scorers and pickers act in the profiles that name them, deciders for the " +
      "handler that names them: listed alone they do nothing.",
    fix: "Name it in a profile or in its handler's parameters, or drop it.",
    check: ({ picker }) => (picker === undefined ? [] : idlePlugins(picker)),
  },
  {
    id: "S5",
    severity: "advice",
    group: "S",
    title: "scorer whose name promises another measure",
    why:
      "In llm-d kv-cache-scorer is 1 - KV-cache memory in use, which looks at no prompt; " +
      "Switchyard matches the prompt's blocks when the engines publish KV events, and " +
      "falls back to free memory when they do not.",
    fix:
      "Write kv-cache-utilization-scorer for free memory; for matches give vLLM " +
      "--kv-events-config.",
    check: ({ picker, manifest }) =>
      (picker === undefined ? [] : pluginsOf(picker, "kv-cache-scorer")).flatMap((plugin) => {
        if (plugin.parameters["mode"] !== undefined || plugin.type !== "kv-cache-scorer") return [];
        const hasEvents = manifest?.service.main.engineArguments.isKvEventsEnabled;
        const here =
          hasEvents === undefined
            ? "by the engines' KV events if there are any, else by free KV-cache memory"
            : hasEvents
              ? "by the blocks that the engines report"
              : "by free KV-cache memory, for the engines publish no KV events";
        const message = `kv-cache-scorer prefers endpoints ${here}; in llm-d always by free memory`;
        return [{ message, position: plugin.typePosition }];
      }),
  },
];

const SCORE_PICKERS = ["max-score-picker", "weighted-random-picker"] as const;
const LOAD_SCORERS = [
  "queue-scorer",
  "active-request-scorer",
  "running-requests-size-scorer",
  "load-aware-scorer",
] as const;
const MEMORY_SCORERS = ["kv-cache-scorer", "kv-cache-utilization-scorer"] as const;
const PREFIX_SCORERS = ["prefix-cache-scorer", "precise-prefix-cache-scorer"] as const;
/** Roles that act in a profile, and the one that acts for a handler. */
const REFERENCED_ROLES: readonly Role[] = ["filter", "score", "pick", "decide"];

function forProfiles(
  check: (profile: WrittenProfile) => readonly Finding[],
): (subject: Subject) => readonly Finding[] {
  return ({ picker }) => (picker?.profiles ?? []).flatMap(check);
}

function namesOf(uses: readonly PluginUse[]): string {
  return uses.map(({ plugin }) => plugin.name).join(", ");
}

function loneEndpoint({ pool, node }: PoolView, picker: Picker): readonly Finding[] {
  const handler = splitHandler(picker);
  const stage = pool.role === "prefill" ? handler?.prefill : handler?.decode;
  const profiles = handler === undefined ? picker.profiles : stage === undefined ? [] : [stage];
  const scorers = new Set(
    profiles.flatMap((profile) => usesWith(profile, "score").map(({ plugin }) => plugin.name)),
  );
  if (pool.replicas !== 1 || scorers.size === 0) return [];
  const message =
    `one endpoint, and ${scorers.size} scorers with nothing to compare: ` +
    `${[...scorers].join(", ")}`;
  return [{ message, position: node.positionOf(["replicas"]) }];
}

function opposingScorers(profile: WrittenProfile): readonly Finding[] {
  const scorers = usesWith(profile, "score");
  const find = (types: readonly string[]): readonly PluginUse[] =>
    scorers.filter(({ plugin }) => isType(plugin, ...types));
  const findings: Finding[] = [];
  const loads = find(LOAD_SCORERS);
  const [, second] = loads;
  if (second !== undefined) {
    findings.push({ message: `load counts twice: ${namesOf(loads)}`, position: second.position });
  }
  const [memory] = find(MEMORY_SCORERS);
  const [prefix] = find(PREFIX_SCORERS);
  if (memory !== undefined && prefix !== undefined) {
    const message =
      `${memory.plugin.name} by free memory moves requests away from what ` +
      `${prefix.plugin.name} calls warm`;
    findings.push({ message, position: memory.position });
  }
  return findings;
}

function loraFindings({ root }: Manifest, { picker }: Subject): readonly Finding[] {
  if (picker === undefined) return [];
  const adapters = root.at("spec", "model", "lora", "adapters");
  const scorers = pluginsOf(picker, "lora-affinity-scorer");
  if (adapters !== undefined && scorers.length === 0) {
    const message = "there are LoRA adapters and no lora-affinity-scorer";
    return [{ message, position: adapters.position }];
  }
  if (adapters !== undefined) return [];
  return scorers.map(({ typePosition }) => ({
    message: "lora-affinity-scorer, and the model has no adapters",
    position: typePosition,
  }));
}

function constantScorer(use: PluginUse, { manifest }: Subject): readonly Finding[] {
  const { plugin, weight, position, weightPosition } = use;
  if (weight === 0) {
    return [{ message: `${plugin.name} has weight 0`, position: weightPosition }];
  }
  const engine = manifest?.service.main.engineArguments;
  if (engine === undefined) return [];
  if (plugin.parameters["mode"] === "match" && !engine.isKvEventsEnabled) {
    const message = `${plugin.name} matches blocks that engines report, and they report none`;
    return [{ message, position }];
  }
  if (isType(plugin, ...PREFIX_SCORERS) && !engine.isPrefixCachingEnabled) {
    const message =
      `${plugin.name} prefers cached prefixes, and the engines cache none ` +
      "(--no-enable-prefix-caching)";
    return [{ message, position }];
  }
  return [];
}

function dominantScorer(profile: WrittenProfile): readonly Finding[] {
  const scorers = usesWith(profile, "score").filter(({ weight }) => weight > 0);
  const total = scorers.reduce((sum, { weight }) => sum + weight, 0);
  return scorers.flatMap(({ plugin, weight, weightPosition }) => {
    const others = total - weight;
    if (scorers.length < 2 || weight <= others) return [];
    const percent = Math.ceil((100 * others) / weight);
    const message =
      `${plugin.name} weighs ${weight}, all others together ${others}: where its ` +
      `scores differ by more than ${percent} %, it alone decides`;
    const severity = weight > 10 * others ? "warning" : "advice";
    return [{ message, position: weightPosition, severity }];
  });
}

function idlePlugins(picker: Picker): readonly Finding[] {
  const named = new Set([
    ...picker.config.profiles.flatMap(({ plugins }) => plugins.map(({ pluginRef }) => pluginRef)),
    ...picker.config.plugins.flatMap(({ configured }) =>
      configured.references.map(({ name }) => name),
    ),
  ]);
  return picker.plugins.flatMap((plugin) => {
    const { name, type, typePosition: position } = plugin;
    const roles = ROLES.filter((role) => hasRole(plugin, role));
    if (plugin.entry.definition.isInert === true) {
      const message = `${type} is accepted and does nothing here`;
      return [{ message, position, severity: "advice" as const }];
    }
    const needsName = roles.every((role) => REFERENCED_ROLES.includes(role));
    if (!needsName || named.has(name)) return [];
    return [{ message: `${name} is named by no profile and no handler`, position }];
  });
}

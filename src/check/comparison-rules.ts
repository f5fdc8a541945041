import type { Service } from "../manifest/service.ts";
import { hasRole, type Picker } from "./picker.ts";
import type { Finding, Rule } from "./rule.ts";
import {
  ARGUMENTS_VARIABLE,
  envPosition,
  type Manifest,
  poolsOf,
  type Subject,
} from "./subject.ts";

/** Two files that are looked at together. */
export interface Pair {
  readonly left: Subject;
  readonly right: Subject;
}

const WHY =
  "A measured difference between the two then has two causes at least, " +
  "and shows nothing about either.";

/** Rules about what makes a comparison of two services say nothing. */
export const COMPARISON_RULES: readonly Rule<Pair>[] = [
  {
    id: "J1",
    severity: "warning",
    group: "J",
    title: "different models",
    why: WHY,
    fix: "Serve the same model in both.",
    check: forServices((left, right) =>
      left.service.modelUri === right.service.modelUri
        ? []
        : [
            differ(
              right,
              `the models differ: ${left.service.modelUri} and ${right.service.modelUri}`,
              ["spec", "model", "uri"],
            ),
          ],
    ),
  },
  {
    id: "J2",
    severity: "warning",
    group: "J",
    title: "different numbers of GPUs",
    why: WHY,
    fix: "Give both the same number of GPUs: endpoints times GPUs of each.",
    check: forServices((left, right) =>
      numbersDiffer("GPUs", left, right, ({ replicas, gpuCount }) => replicas * gpuCount),
    ),
  },
  {
    id: "J3",
    severity: "advice",
    group: "J",
    title: "different numbers of endpoints",
    why: WHY,
    fix: "Give both the same number of endpoints, or say why not: prefill takes part of them.",
    check: forServices((left, right) =>
      numbersDiffer("endpoints", left, right, ({ replicas }) => replicas),
    ),
  },
  {
    id: "J4",
    severity: "warning",
    group: "J",
    title: "engines with different arguments",
    why: WHY,
    fix: "Give both the same vLLM arguments, those of KV transfer excepted.",
    check: forServices((left, right) => {
      const [ours, theirs] = [left, right].map(({ service }) => service.main.engineArguments.flags);
      const names = new Set([...(ours?.keys() ?? []), ...(theirs?.keys() ?? [])]);
      const differing = [...names].filter(
        (name) => !NEUTRAL_FLAGS.test(name) && ours?.get(name) !== theirs?.get(name),
      );
      if (differing.length === 0) return [];
      const message = `the engines differ in ${differing.map((name) => `--${name}`).join(", ")}`;
      return [{ message, position: envPosition(right.main, ARGUMENTS_VARIABLE) }];
    }),
  },
  {
    id: "J5",
    severity: "warning",
    group: "J",
    title: "engines with different processors and memory",
    why: WHY,
    fix: "Give both the same cpu and memory for each endpoint.",
    check: forServices((left, right) => {
      const text = ({ service }: Manifest): string =>
        ["cpu", "memory"]
          .map((name) => `${name} ${service.main.limits[name] ?? "unlimited"}`)
          .join(", ");
      if (text(left) === text(right)) return [];
      const message =
        `an engine of ${left.service.name} has ${text(left)}, of ${right.service.name} ` +
        `${text(right)}`;
      return [{ message, position: containerResources(right) }];
    }),
  },
  {
    id: "J6",
    severity: "advice",
    group: "J",
    title: "different probes",
    why:
      "Probes decide when an endpoint counts as ready and when it is restarted: starts " +
      "and failures then differ by their cause.",
    fix: "Use the same probes in both.",
    check: forServices((left, right) => {
      const text = ({ service }: Manifest): string =>
        JSON.stringify(service.main.livenessProbe ?? null);
      return text(left) === text(right)
        ? []
        : [
            {
              message: "the liveness probes differ",
              position: right.main.node.positionOf(["template"]),
            },
          ];
    }),
  },
  {
    id: "J7",
    severity: "warning",
    group: "J",
    title: "different choice within a pool",
    why:
      "Prefix reuse alone can make a several times faster answer: with scorers on one " +
      "side the comparison measures them, not the split.",
    fix: "Give both the same scorers and picker in their decode profile.",
    check: ({ left, right }) => {
      if (left.picker === undefined || right.picker === undefined) return [];
      const [ours, theirs] = [choiceOf(left.picker), choiceOf(right.picker)];
      if (ours === theirs) return [];
      const message = `${left.file} chooses by ${ours}; this file by ${theirs}`;
      return [{ message, position: right.picker.root.positionOf(["schedulingProfiles"]) }];
    },
  },
  {
    id: "J8",
    severity: "advice",
    group: "J",
    title: "toleration on one of the two",
    why:
      "The endpoints are placed on different nodes, perhaps with other GPUs, or one " +
      "service stays Pending.",
    fix: "Repeat the tolerations in both manifests.",
    check: forServices((left, right) => {
      const has = ({ service }: Manifest): boolean => service.main.tolerations.length > 0;
      if (has(left) === has(right)) return [];
      const without = has(left) ? right : left;
      const message = `${without.service.name} has no toleration, the other has`;
      return [{ message, position: without.main.node.positionOf(["template"]) }];
    }),
  },
  {
    id: "G7",
    severity: "error",
    group: "G",
    title: "two services with one model name",
    why:
      "Requests are told apart by the model they name: KServe reports ModelNameCollision, " +
      "and up refuses to start.",
    fix: "Give one of them another spec.model.name.",
    check: forServices((left, right) => {
      const isOne = (a: Service, b: Service): boolean =>
        a.modelName === b.modelName && a.namespace === b.namespace;
      return isOne(left.service, right.service)
        ? [differ(right, `both serve ${right.service.modelName}`, ["spec", "model", "name"])]
        : [];
    }),
  },
];

/** Flags of KV transfer, which only a split needs, and of logs. */
const NEUTRAL_FLAGS = /^kv-|log/;

function forServices(
  check: (left: Manifest, right: Manifest) => readonly Finding[],
): (pair: Pair) => readonly Finding[] {
  return ({ left, right }) =>
    left.manifest === undefined || right.manifest === undefined
      ? []
      : check(left.manifest, right.manifest);
}

function differ({ root }: Manifest, message: string, path: readonly string[]): Finding {
  return { message, position: root.positionOf(path) };
}

function numbersDiffer(
  what: string,
  left: Manifest,
  right: Manifest,
  count: (pool: Manifest["service"]["main"]) => number,
): readonly Finding[] {
  const total = (manifest: Manifest): number =>
    poolsOf(manifest).reduce((sum, { pool }) => sum + count(pool), 0);
  const [ours, theirs] = [total(left), total(right)];
  if (ours === theirs) return [];
  const message = `${left.service.name} has ${ours} ${what}, ${right.service.name} has ${theirs}`;
  return [{ message, position: right.root.positionOf(["spec", "replicas"]) }];
}

function containerResources({ main }: Manifest): Finding["position"] {
  return main.container?.positionOf(["resources"]) ?? main.node.position;
}

/** Scorers with weights and the picker of the profile that chooses the destination. */
function choiceOf({ profiles }: Picker): string {
  const profile = profiles.find(({ name }) => name === "decode") ?? profiles[0];
  const uses = profile?.uses ?? [];
  const scorers = uses
    .filter(({ plugin }) => hasRole(plugin, "score"))
    .map(({ plugin, weight }) => `${plugin.entry.definition.type} ${weight}`)
    .toSorted();
  const picker = uses.find(({ plugin }) => hasRole(plugin, "pick"))?.plugin.entry.definition.type;
  return [...scorers, picker ?? "the default picker"].join(", ");
}

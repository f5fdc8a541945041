import type { Pool, Service } from "../manifest/service.ts";
import { typesByCategory, writtenPlugins } from "./plugin-category.ts";
import { PLUGIN_CATEGORIES } from "./plugin-facts.ts";
import {
  gpusOf,
  handlerOf,
  isSplit,
  mainProfile,
  numberParameter,
  type ProfileEntry,
  poolsOf,
  totalGpus,
  usesOf,
} from "./side.ts";
import { ABSENT } from "./text-table.ts";

/** `Single pool` or `Prefill/decode split`. */
export function architectureOf(service: Service): string {
  return isSplit(service)
    ? "Prefill/decode split: two pools, a pipeline of two stages"
    : "Single pool: each endpoint computes prompt and answer";
}

/** `2 decode and 2 prefill endpoints`, `4 endpoints`. */
export function endpointsOf(service: Service): string {
  const { main, prefill } = service;
  if (prefill === undefined)
    return main.replicas === 1 ? "1 endpoint" : `${main.replicas} endpoints`;
  return `${main.replicas} decode and ${prefill.replicas} prefill endpoints`;
}

/** What the configuration aims at, read off its handler, scorers and picker. */
export function purposeOf(service: Service): string {
  const choice = choiceOf(service);
  if (!isSplit(service)) {
    return `One engine does all the work of a request; the router chooses it by ${choice}.`;
  }
  return `Long prompts do not stand in the way of running answers: prompts are computed in one pool, answers in the other. Within a pool the router chooses by ${choice}.`;
}

/** What that brings and costs. */
export function resultOf(service: Service): string {
  return isSplit(service)
    ? "Even answers under load and two pools that grow apart; each split prompt waits for a transfer, and a GPU serves one stage only."
    : "Easier to run and the first token comes soonest; under load a long prompt delays the answers that share its endpoint.";
}

/** What decides between endpoints of one role, in words. */
export function choiceOf(service: Service): string {
  const profile = mainProfile(service);
  const scorers = profile === undefined ? [] : usesOf(service, profile, "score");
  const picker = pickerOf(service, profile);
  if (picker === "random-picker" || scorers.length === 0) return "lot";
  return scorers
    .map(({ entry }) => CHOICE_WORDS.get(entry.definition.type) ?? entry.name)
    .join(", ");
}

/** As `choiceOf`, with the weights, since those decide too. */
export function weightedChoice(service: Service): string {
  const profile = mainProfile(service);
  const scorers = profile === undefined ? [] : usesOf(service, profile, "score");
  if (choiceOf(service) === "lot") return "by lot";
  return scorers
    .map(({ entry, weight }) => `${entry.definition.type} × ${weight}`)
    .toSorted()
    .join(", ");
}

/** Names of the file's plugin types by category, one category a line. */
export function pluginTypesOf({ config }: Service): ReadonlyMap<string, string> {
  const types = typesByCategory(writtenPlugins(config.plugins));
  return new Map(
    PLUGIN_CATEGORIES.map((category) => [category, types.get(category)?.join("\n") ?? ABSENT]),
  );
}

/** `default: prefix-cache-scorer × 2, queue-scorer × 1 → max-score-picker`, one profile a line. */
export function profilesOf(service: Service): string {
  return service.config.profiles.map((profile) => describeProfile(service, profile)).join("\n");
}

/** When a prompt is computed elsewhere than its answer. */
export function splitRuleOf(service: Service): string {
  if (!isSplit(service)) return "never: one stage";
  const handler = handlerOf(service);
  if (handler === undefined || handler.definition.type === "single-profile-handler") return "never";
  const threshold = numberParameter(handler, "threshold");
  if (threshold === undefined) return `${handler.name} decides`;
  if (threshold === 0) return "always: threshold 0";
  return `from ${threshold} uncached prompt bytes (about ${Math.ceil(threshold / 4)} tokens)`;
}

/** A fact of each pool; said once where both pools agree. */
export function eachPool(service: Service, fact: (pool: Pool) => string): string {
  const pools = poolsOf(service);
  const facts = pools.map(fact);
  const [first = ABSENT] = facts;
  if (pools.length === 1) return first;
  if (facts.every((one) => one === first))
    return first === ABSENT ? ABSENT : `${first} (each pool)`;
  return pools.map((pool, index) => `${pool.role}: ${facts[index]}`).join("\n");
}

/** `1 for each endpoint, 4 in all`. */
export function gpusText(service: Service): string {
  const each = eachPool(service, (pool) => `${gpusOf(pool)} for each endpoint`);
  return `${each}, ${totalGpus(service)} in all`;
}

/** Requests that differ from limits are said with them. */
export function resourceText(pool: Pool, name: string): string {
  const limit = pool.limits[name];
  const request = pool.requests[name];
  if (limit === undefined) return request === undefined ? ABSENT : `${request}, no limit`;
  return request === undefined || request === limit ? limit : `${request} to ${limit}`;
}

/** Names with amounts, such as `rdma/roce_gdr: 1`. */
export function extendedText({ extendedResources }: Pool): string {
  const all = Object.entries(extendedResources).map(([name, amount]) => `${name}: ${amount}`);
  return all.length === 0 ? "none" : all.join(", ");
}

/** Where the model's files lie between two starts. */
export function volumeText({ volumes }: Pool): string {
  if (volumes.length === 0) return "none: the model is downloaded at each start";
  return volumes
    .map(
      ({ name, source, claimName }) =>
        `${name}: ${claimName === undefined ? source : `claim ${claimName}`}`,
    )
    .join("\n");
}

/** Networks of the pods, and how KV cache would leave the host. */
export function networkText(service: Service): string {
  const { networks, transport } = service.main;
  const pods = networks === undefined ? "pod network" : `pod network and ${networks}`;
  if (!isSplit(service)) return `${pods}; nothing moves between endpoints`;
  const ends = poolsOf(service).map(({ transport: end }) => end);
  const missing = ends.find(({ kind }) => kind === "none");
  if (missing?.kind === "none") return `${pods}; KV cache cannot move: ${missing.reason}`;
  const isTcp = ends.some(({ kind }) => kind === "tcp");
  return `${pods}; KV cache moves by ${isTcp ? "TCP" : "RDMA"} (UCX_TLS ${transport.ucxTls})`;
}

/** Connector of the KV cache, or what its absence means. */
export function connectorText(service: Service): string {
  return eachPool(service, ({ engineArguments: { kvTransfer }, role }) => {
    if (kvTransfer === undefined)
      return role === "both" ? "none" : "none: prompts are computed twice";
    return `${kvTransfer.connector}, ${kvTransfer.role}, on failure ${kvTransfer.loadFailurePolicy}`;
  });
}

/** Whether the picker and the probes speak TLS. */
export function tlsText({ picker, main }: Service): string {
  const isSecure = picker.arguments.some((word) => /^--?secure-?serving(?:=true)?$/i.test(word));
  const probe = main.livenessProbe?.scheme;
  return `picker ${isSecure ? "TLS" : "as the preset says"}; probe ${probe ?? "as the preset says"}`;
}

/** Liveness probe as path, port and the time after which it restarts a silent engine. */
export function probeText({ livenessProbe: probe }: Pool): string {
  if (probe === undefined) return "the preset's";
  const budget = probe.initialDelaySeconds + probe.periodSeconds * probe.failureThreshold;
  return `${probe.scheme} ${probe.path} on ${probe.port}; restart after about ${budget} s of silence`;
}

const CHOICE_WORDS: ReadonlyMap<string, string> = new Map([
  ["prefix-cache-scorer", "cached prefixes"],
  ["precise-prefix-cache-scorer", "cached prefixes"],
  ["queue-scorer", "short queues"],
  ["kv-cache-scorer", "KV cache held or free"],
  ["kv-cache-utilization-scorer", "free KV cache"],
]);

function describeProfile(service: Service, profile: ProfileEntry): string {
  const filters = usesOf(service, profile, "filter").map(({ entry }) => entry.name);
  const scorers = usesOf(service, profile, "score").map(
    ({ entry, weight }) => `${entry.name} × ${weight}`,
  );
  const steps = [...filters, ...(scorers.length === 0 ? [] : [scorers.join(" + ")])];
  return `${profile.name}: ${[...steps, pickerOf(service, profile) ?? ABSENT].join(" → ")}`;
}

function pickerOf(service: Service, profile: ProfileEntry | undefined): string | undefined {
  const [picker] = profile === undefined ? [] : usesOf(service, profile, "pick");
  return picker?.entry.definition.type;
}

import { API_VERSIONS } from "./compatibility.ts";
import type { ObjectiveEntry, RewriteEntry, RewriteRule, RewriteTarget } from "./router-config.ts";
import type { SourceNode } from "./source-node.ts";

/** Objects that may stand beside a configuration in its file and belong to the same pool. */
export interface PoolObjects {
  readonly objectives: readonly ObjectiveEntry[];
  readonly rewrites: readonly RewriteEntry[];
}

const OBJECTIVE = "InferenceObjective";
const REWRITE = "InferenceModelRewrite";

/** llm-d took the objects over from the Gateway API Inference Extension. */
const OBJECT_VERSIONS = [
  "inference.networking.x-k8s.io/v1alpha2",
  "llm-d.ai/v1alpha2",
  API_VERSIONS[1],
];

/** llm-d: priority is an int32. */
const PRIORITY_MAX = 2 ** 31 - 1;

/** llm-d's bound; the sum of a rule's weights stays a safe integer. */
const WEIGHT_MAX = 1_000_000;

/** Whether a document is an `InferenceObjective` or an `InferenceModelRewrite`. */
export function isPoolObject(document: SourceNode): boolean {
  const kind = document.at("kind")?.value;
  return kind === OBJECTIVE || kind === REWRITE;
}

/** Reads the objects among the documents of a file; faults go to their documents. */
export function readPoolObjects(documents: readonly SourceNode[]): PoolObjects {
  const objectives: ObjectiveEntry[] = [];
  const rewrites: (RewriteEntry & { readonly createdMs: number })[] = [];
  const names = new Set<string>();
  for (const document of documents.filter(isPoolObject)) {
    const object = readObject(document);
    if (object === undefined) continue;
    const { name, spec, createdMs } = object;
    const isObjective = document.at("kind")?.value === OBJECTIVE;
    const kind = isObjective ? OBJECTIVE : REWRITE;
    if (names.has(`${kind}/${name}`))
      document.faultAt(["metadata", "name"], `an ${kind} named ${name} exists already`);
    names.add(`${kind}/${name}`);
    if (isObjective) objectives.push({ name, priority: readPriority(spec) });
    else rewrites.push({ name, rules: readRules(spec), createdMs });
  }
  // The oldest object wins; without a time the file's order stands for it.
  const byAge = rewrites.toSorted((one, other) => one.createdMs - other.createdMs);
  return { objectives, rewrites: byAge.map(({ name, rules }) => ({ name, rules })) };
}

interface PoolObject {
  readonly name: string;
  readonly spec: SourceNode;
  readonly createdMs: number;
}

function readObject(document: SourceNode): PoolObject | undefined {
  const fields = document.entries(["apiVersion", "kind", "metadata", "spec", "status"]);
  const version = fields?.get("apiVersion");
  if (version === undefined) document.faultAt(["apiVersion"], "is required", OBJECT_VERSIONS);
  else if (!OBJECT_VERSIONS.includes(String(version.value)))
    version.fault(`unknown apiVersion ${JSON.stringify(version.value)}`, OBJECT_VERSIONS);
  const nameNode = document.at("metadata", "name");
  if (nameNode === undefined) document.faultAt(["metadata", "name"], "is required");
  const spec = fields?.get("spec");
  if (spec === undefined) document.faultAt(["spec"], "is required");
  readPoolRef(spec?.at("poolRef"));
  const created = document.at("metadata", "creationTimestamp");
  const createdMs = created === undefined ? 0 : Date.parse(String(created.value));
  if (Number.isNaN(createdMs)) created?.fault("must be a time such as 2025-11-12T08:00:00Z");
  const name = nameNode?.text();
  return name === undefined || spec === undefined ? undefined : { name, spec, createdMs };
}

/** A file belongs to one pool, so the reference is checked for its form only. */
function readPoolRef(node: SourceNode | undefined): void {
  for (const [, field] of node?.entries(["group", "kind", "name"]) ?? []) field.text();
}

function readPriority(spec: SourceNode): number {
  const priority = spec.entries(["priority", "poolRef"])?.get("priority");
  const value = priority?.integer(-PRIORITY_MAX - 1) ?? 0;
  if (value > PRIORITY_MAX) priority?.fault(`must be at most ${PRIORITY_MAX}`);
  return value;
}

function readRules(spec: SourceNode): readonly RewriteRule[] {
  const rules = spec.entries(["poolRef", "rules"])?.get("rules");
  if (rules === undefined) spec.faultAt(["rules"], "is required");
  return (rules?.items() ?? []).map((rule) => {
    const fields = rule.entries(["matches", "targets"]);
    const targets = fields?.get("targets");
    const read = targets?.items().flatMap((target) => readTarget(target) ?? []) ?? [];
    const isEmpty =
      targets === undefined || (Array.isArray(targets.value) && !targets.value.length);
    if (fields !== undefined && isEmpty)
      rule.faultAt(["targets"], "a rule needs at least one target");
    return { matches: fields?.get("matches")?.items().flatMap(readMatch) ?? [], targets: read };
  });
}

function readMatch(node: SourceNode): readonly string[] {
  const model = node.entries(["model"])?.get("model");
  if (model === undefined) {
    node.faultAt(["model"], "is required");
    return [];
  }
  const fields = model.entries(["type", "value"]);
  const type = fields?.get("type");
  if (type !== undefined && type.value !== "Exact")
    type.fault(`unknown type ${JSON.stringify(type.value)}`, ["Exact"]);
  const value = fields?.get("value");
  if (fields !== undefined && value === undefined) model.faultAt(["value"], "is required");
  const name = value?.text();
  return name === undefined ? [] : [name];
}

function readTarget(node: SourceNode): RewriteTarget | undefined {
  const fields = node.entries(["modelRewrite", "weight"]);
  if (fields === undefined) return undefined;
  const model = fields.get("modelRewrite");
  if (model === undefined) node.faultAt(["modelRewrite"], "is required");
  const name = model?.text();
  const weightNode = fields.get("weight");
  const weight = weightNode?.integer(0);
  if ((weight ?? 0) > WEIGHT_MAX) weightNode?.fault(`must be at most ${WEIGHT_MAX}`);
  return name === undefined ? undefined : { model: name, weight };
}

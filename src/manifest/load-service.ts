import type { LoadOptions } from "../config/load-options.ts";
import { throwFaults } from "../config/load-router-config.ts";
import { isPoolObject, readPoolObjects } from "../config/pool-objects.ts";
import type { ConfigNote } from "../config/router-config.ts";
import type { SourceNode } from "../config/source-node.ts";
import { parseSource } from "../config/source-text.ts";
import type { ConfigFault } from "../core/config-error.ts";
import { invariant } from "../core/invariant.ts";
import { readStringMap } from "./container.ts";
import type { OpenService } from "./open-service.ts";
import { readPicker } from "./read-picker.ts";
import { readPool, WORKLOAD_FIELDS } from "./read-pool.ts";
import type { Service } from "./service.ts";
import { type ObjectMeta, readTemplated } from "./template-text.ts";

/** An `LLMInferenceService` as text, and what is needed to load it. */
export interface ServiceSource extends LoadOptions {
  readonly text: string;
  /** Name of the file, for messages. */
  readonly file: string;
}

const API_VERSIONS = ["serving.kserve.io/v1alpha1", "serving.kserve.io/v1alpha2"];
/** `kind` of the document that is a service. */
export const KIND = "LLMInferenceService";

const SPEC_FIELDS = [
  "model",
  "router",
  "prefill",
  ...WORKLOAD_FIELDS,
  "storageInitializer",
  "tracing",
  "baseRefs",
];
const MODEL_FIELDS = ["uri", "name", "lora", "criticality", "confidential"];
const ROUTER_FIELDS = ["route", "gateway", "ingress", "scheduler"];
const SCHEDULER_FIELDS = [
  "pool",
  "template",
  "labels",
  "annotations",
  "config",
  "replicas",
  "tokenizer",
];

/**
 * Loads a manifest that holds one `LLMInferenceService`; throws ConfigError with every fault
 * found.
 */
export function loadService(source: ServiceSource): Service {
  return openService(source).service;
}

/** As `loadService`, with the places that the service was read from. */
export function openService(source: ServiceSource): OpenService {
  const faults: ConfigFault[] = [];
  const notes: ConfigNote[] = [];
  const documents = parseSource({ text: source.text, file: source.file }, faults);
  throwFaults(faults);
  const root = chooseDocument(documents, source.file, faults, notes);
  const opened = root === undefined ? undefined : readService(root, source, notes);
  const objects = readPoolObjects(documents);
  throwFaults(faults);
  invariant(opened !== undefined, "a manifest without faults was not read");
  const { service } = opened;
  return { ...opened, service: { ...service, config: { ...service.config, ...objects } } };
}

/** Other objects may stand in the file; they are somebody else's. */
function chooseDocument(
  documents: readonly SourceNode[],
  file: string,
  faults: ConfigFault[],
  notes: ConfigNote[],
): SourceNode | undefined {
  const isService = (document: SourceNode): boolean => document.at("kind")?.value === KIND;
  const [service, second] = documents.filter(isService);
  second?.faultAt(["kind"], `a file holds one ${KIND}, this is a second one`);
  if (service === undefined) {
    const [first] = documents;
    if (first === undefined) faults.push({ path: "", message: `${file} holds no ${KIND}` });
    else first.faultAt(["kind"], `no ${KIND} in this file`, [KIND]);
    return undefined;
  }
  for (const document of documents.filter((other) => !isService(other) && !isPoolObject(other))) {
    const kind = document.at("kind")?.value;
    const message = `${typeof kind === "string" ? kind : "an object without kind"} is ignored`;
    notes.push({ message, position: document.position });
  }
  return service;
}

function readService(
  root: SourceNode,
  options: LoadOptions,
  notes: ConfigNote[],
): OpenService | undefined {
  const fields = root.entries(["apiVersion", "kind", "metadata", "spec", "status"]);
  const apiVersion = fields?.get("apiVersion");
  if (apiVersion === undefined) root.faultAt(["apiVersion"], "is required", API_VERSIONS);
  else if (!API_VERSIONS.includes(String(apiVersion.value)))
    apiVersion.fault(`unknown apiVersion ${JSON.stringify(apiVersion.value)}`, API_VERSIONS);
  const meta = readMeta(root);
  const spec = fields?.get("spec");
  if (spec === undefined) root.faultAt(["spec"], "is required", SPEC_FIELDS);
  if (spec?.entries(SPEC_FIELDS) === undefined || spec === undefined || meta === undefined)
    return undefined;
  for (const name of ["storageInitializer", "tracing"]) noteUnused(spec.at(name), name, notes);
  noteUnused(spec.at("baseRefs"), "baseRefs: other objects are not merged, so it", notes);

  const annotations = readStringMap(root.at("metadata", "annotations"));
  const prefill = spec.at("prefill");
  prefill?.entries(WORKLOAD_FIELDS);
  const poolContext = { meta, annotations, notes };
  const picker = readPicker(spec, readScheduler(spec.at("router")), {
    meta,
    options,
    isSplit: prefill !== undefined,
    notes,
  });
  const main = readPool(spec, { ...poolContext, role: prefill === undefined ? "both" : "decode" });
  const service = {
    namespace: meta.namespace,
    name: meta.name,
    apiVersion: String(apiVersion?.value),
    ...readModel(spec, meta),
    annotations,
    main,
    prefill:
      prefill === undefined ? undefined : readPool(prefill, { ...poolContext, role: "prefill" }),
    picker: picker.source,
    notes,
    position: root.position,
  };
  if (picker.config === undefined) return undefined;
  const { root: pickerRoot, words: pickerWords } = picker;
  return { service: { ...service, config: picker.config }, root, pickerRoot, pickerWords };
}

/** Names that Kubernetes allows for objects which become host names (RFC 1123 label). */
const OBJECT_NAME = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const DEFAULT_NAMESPACE = "default";

function readMeta(root: SourceNode): ObjectMeta | undefined {
  const name = readObjectName(root, "name");
  if (root.at("metadata", "name") === undefined) root.faultAt(["metadata", "name"], "is required");
  const namespace = readObjectName(root, "namespace") ?? DEFAULT_NAMESPACE;
  return name === undefined ? undefined : { name, namespace };
}

function readObjectName(root: SourceNode, field: "name" | "namespace"): string | undefined {
  const node = root.at("metadata", field);
  const name = node?.text();
  if (name === undefined || OBJECT_NAME.test(name)) return name;
  node?.fault("must be up to 63 lower-case letters, digits and dashes inside");
  return undefined;
}

function readModel(
  spec: SourceNode,
  meta: ObjectMeta,
): { readonly modelName: string; readonly modelUri: string } {
  const model = spec.at("model");
  model?.entries(MODEL_FIELDS);
  const uri = model?.at("uri");
  if (uri === undefined) spec.faultAt(["model", "uri"], "is required");
  const name = model?.at("name");
  return {
    modelUri: (uri === undefined ? undefined : readTemplated(uri, meta)) ?? "",
    modelName: (name === undefined ? undefined : readTemplated(name, meta)) ?? meta.name,
  };
}

function readScheduler(router: SourceNode | undefined): SourceNode | undefined {
  router?.entries(ROUTER_FIELDS);
  const scheduler = router?.at("scheduler");
  scheduler?.entries(SCHEDULER_FIELDS);
  scheduler?.at("config")?.entries(["inline", "ref"]);
  return scheduler;
}

function noteUnused(node: SourceNode | undefined, subject: string, notes: ConfigNote[]): void {
  if (node !== undefined)
    notes.push({ message: `${subject} has no effect here`, position: node.position });
}

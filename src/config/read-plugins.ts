import { ConfigError, type ConfigFault } from "../core/config-error.ts";
import type { ConfiguredPlugin, PluginDefinition } from "../plugin/define-plugin.ts";
import { PREFIX_CACHE_PRODUCER, PREFIX_CACHE_SCORER } from "./compatibility.ts";
import { MAPPINGS, mappingOf } from "./mapping-table.ts";
import { nearMiss } from "./near-miss.ts";
import { PluginSet, type ReadContext } from "./plugin-set.ts";
import { PREFIX_CACHE_PARAMETERS, readPrefixCache } from "./prefix-cache.ts";
import {
  type PlacedDraft,
  type PluginDraft,
  splitPrefixCacheScorer,
} from "./prefix-cache-scorer.ts";
import type { PathKey, SourceNode } from "./source-node.ts";

/**
 * Reads `plugins`; a plugin with a fault is declared all the same, so that references to it are
 * none.
 */
export function readPlugins(node: SourceNode | undefined, context: ReadContext): PluginSet {
  const plugins = new PluginSet(context);
  const drafts = (node?.items() ?? []).flatMap((item) => readDraft(item, context) ?? []);
  const hasProducer = drafts.some(({ definition }) => definition?.type === PREFIX_CACHE_PRODUCER);
  for (const draft of drafts) {
    if (plugins.isTaken(draft.name)) {
      draft.node.faultAt(
        draft.isNamed ? ["name"] : ["type"],
        `a plugin named ${draft.name} exists already; give one of them another name`,
      );
      continue;
    }
    plugins.declare(draft.name, draft.node, draft.definition);
    const { definition } = draft;
    if (definition !== undefined) addPlugin(plugins, { ...draft, definition }, hasProducer);
  }
  return plugins;
}

function addPlugin(plugins: PluginSet, draft: PlacedDraft, hasProducer: boolean): void {
  const { definition, name, node } = draft;
  const { context } = plugins;
  if (definition.isInert === true) {
    const message = `${definition.type} has no effect here yet`;
    context.notes.push({ message, position: node.position });
  }
  const parameters =
    definition.type === PREFIX_CACHE_SCORER
      ? splitPrefixCacheScorer(plugins, draft, hasProducer)
      : definition.type === PREFIX_CACHE_PRODUCER
        ? readProducer(draft, context)
        : draft.parameters?.value;
  const configured = configure(definition, parameters, draft.parameters ?? node);
  if (configured === undefined) return;
  plugins.add({
    name,
    definition,
    configured,
    parameters: parameters ?? {},
    position: node.position,
  });
}

function readProducer({ parameters }: PluginDraft, { era, notes }: ReadContext): unknown {
  // The name in bytes is older than the producer.
  const known = PREFIX_CACHE_PARAMETERS.filter(
    (name) => era === "bytes" || name !== "hashBlockSize",
  );
  return readPrefixCache(parameters?.entries(known), era, notes);
}

function readDraft(node: SourceNode, context: ReadContext): PluginDraft | undefined {
  const fields = node.entries(["name", "type", "parameters"]);
  if (fields === undefined) return undefined;
  const typeNode = fields.get("type");
  if (typeNode === undefined) node.faultAt(["type"], "is required", context.options.registry.types);
  const type = typeNode?.text();
  const nameNode = fields.get("name");
  const name = nameNode === undefined ? type : nameNode.text();
  const written = fields.get("parameters");
  const parameters = written?.entries() === undefined ? undefined : written;
  if (name === undefined) return undefined;
  const definition =
    typeNode === undefined || type === undefined
      ? undefined
      : definitionOf(typeNode, type, context);
  if (type !== undefined) noteParameters(type, parameters, context);
  return { node, name, isNamed: nameNode !== undefined, definition, parameters };
}

function definitionOf(
  node: SourceNode,
  type: string,
  { options, notes, mappings }: ReadContext,
): PluginDefinition | undefined {
  const { registry, allowAlpha = false } = options;
  let definition = registry.find(type);
  const mapping = mappingOf("type", type);
  if (mapping !== undefined) mappings.push({ mapping, position: node.position });
  if (definition === undefined && mapping?.isRename === true) {
    definition = registry.find(mapping.to);
    if (definition !== undefined)
      notes.push({ message: `${type} is called ${mapping.to} today`, position: node.position });
  }
  if (definition === undefined) {
    node.fault(`unregistered plugin type ${type}${nearMiss(type, registry.types)}`, registry.types);
    return undefined;
  }
  if (definition.isInert !== true && definition.stability === "alpha" && !allowAlpha) {
    node.fault(`${type} is experimental; allow it with --allow-experimental-plugins`);
    return undefined;
  }
  if (definition.stability === "deprecated")
    notes.push({ message: `${type} is deprecated`, position: node.position });
  return definition;
}

function noteParameters(
  type: string,
  parameters: SourceNode | undefined,
  { mappings }: ReadContext,
): void {
  for (const mapping of MAPPINGS) {
    if (mapping.kind !== "parameter" || !mapping.from.startsWith(`${type}.`)) continue;
    const node = parameters?.at(...mapping.from.slice(type.length + 1).split("."));
    if (node !== undefined) mappings.push({ mapping, position: node.position });
  }
}

/** Decodes parameters; what the plugin complains about is placed below `node`. */
function configure(
  definition: PluginDefinition,
  parameters: unknown,
  node: SourceNode,
): ConfiguredPlugin | undefined {
  try {
    return definition.configure(parameters);
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    for (const fault of cause.faults) placeFault(fault, node);
    return undefined;
  }
}

function placeFault({ path, message, allowed }: ConfigFault, node: SourceNode): void {
  node.faultAt(keysOf(path), message, allowed);
}

/** Inverse of `keyPath`: `a.b[2]` as `["a", "b", 2]`. */
export function keysOf(path: string): readonly PathKey[] {
  return Array.from(path.matchAll(/\[(\d+)\]|[^.[\]]+/g), ([key, index]) =>
    index === undefined ? key : Number(index),
  );
}

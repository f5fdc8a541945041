import { ConfigError, type ConfigFault } from "../core/config-error.ts";
import type { ConfiguredPlugin, PluginDefinition } from "../plugin/define-plugin.ts";
import { PREFIX_CACHE_PRODUCER, PREFIX_CACHE_SCORER, RENAMED_TYPES } from "./compatibility.ts";
import type { LoadOptions } from "./load-options.ts";
import { nearMiss } from "./near-miss.ts";
import { PluginSet } from "./plugin-set.ts";
import { readPrefixCacheParameters } from "./prefix-cache.ts";
import type { ConfigNote } from "./router-config.ts";
import type { PathKey, SourceNode } from "./source-node.ts";

/**
 * Reads `plugins`; a plugin with a fault is declared all the same, so that references to it are
 * none.
 */
export function readPlugins(
  node: SourceNode | undefined,
  options: LoadOptions,
  notes: ConfigNote[],
): PluginSet {
  const plugins = new PluginSet(options.registry, notes);
  const drafts = (node?.items() ?? []).flatMap((item) => readDraft(item, options, notes) ?? []);
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
    if (draft.definition === undefined) continue;
    if (draft.definition.type === PREFIX_CACHE_SCORER) {
      addPrefixCacheScorer(plugins, { ...draft, definition: draft.definition }, hasProducer);
      continue;
    }
    const isProducer = draft.definition.type === PREFIX_CACHE_PRODUCER;
    if (isProducer && plugins.producer !== undefined) {
      draft.node.faultAt(["type"], `one ${PREFIX_CACHE_PRODUCER} is enough`);
      continue;
    }
    const parameters = isProducer
      ? readPrefixCacheParameters(draft.parameters, notes)
      : draft.parameters?.value;
    const configured = configure(draft.definition, parameters, draft.parameters ?? draft.node);
    if (configured === undefined) continue;
    plugins.add({
      name: draft.name,
      definition: draft.definition,
      configured,
      parameters: parameters ?? {},
      position: draft.node.position,
    });
  }
  return plugins;
}

/** One item of `plugins` before its parameters are decoded. */
interface PluginDraft {
  readonly node: SourceNode;
  readonly name: string;
  readonly isNamed: boolean;
  /** Undefined when the type is not registered or may not be used. */
  readonly definition: PluginDefinition | undefined;
  readonly parameters: SourceNode | undefined;
}

function readDraft(
  node: SourceNode,
  options: LoadOptions,
  notes: ConfigNote[],
): PluginDraft | undefined {
  const fields = node.entries(["name", "type", "parameters"]);
  if (fields === undefined) return undefined;
  const typeNode = fields.get("type");
  if (typeNode === undefined) node.faultAt(["type"], "is required", options.registry.types);
  const type = typeNode?.text();
  const nameNode = fields.get("name");
  const name = nameNode === undefined ? type : nameNode.text();
  const written = fields.get("parameters");
  const parameters = written?.entries() === undefined ? undefined : written;
  if (name === undefined) return undefined;
  const definition =
    typeNode === undefined || type === undefined
      ? undefined
      : definitionOf(typeNode, type, options, notes);
  return { node, name, isNamed: nameNode !== undefined, definition, parameters };
}

function definitionOf(
  node: SourceNode,
  type: string,
  { registry, allowAlpha = false }: LoadOptions,
  notes: ConfigNote[],
): PluginDefinition | undefined {
  let definition = registry.find(type);
  const renamed = RENAMED_TYPES.find(({ from }) => from === type);
  if (definition === undefined && renamed !== undefined) {
    definition = registry.find(renamed.to);
    if (definition !== undefined)
      notes.push({ message: `${type} is called ${renamed.to} today`, position: node.position });
  }
  if (definition === undefined) {
    node.fault(`unregistered plugin type ${type}${nearMiss(type, registry.types)}`, registry.types);
    return undefined;
  }
  if (definition.stability === "alpha" && !allowAlpha) {
    node.fault(`${type} is experimental; allow it with --allow-experimental-plugins`);
    return undefined;
  }
  if (definition.stability === "deprecated")
    notes.push({ message: `${type} is deprecated`, position: node.position });
  return definition;
}

/**
 * The scorer of a file is two plugins here: the scorer, and a producer that keeps the index; the
 * cache's parameters are the producer's.
 */
function addPrefixCacheScorer(
  plugins: PluginSet,
  draft: PluginDraft & { readonly definition: PluginDefinition },
  hasProducer: boolean,
): void {
  const { name, definition, node } = draft;
  if (hasProducer) {
    if ((draft.parameters?.entries()?.size ?? 0) > 0)
      draft.parameters?.fault(`the cache is configured by the ${PREFIX_CACHE_PRODUCER}`);
  } else {
    const parameters = readPrefixCacheParameters(draft.parameters, plugins.notes);
    const existing = plugins.producer;
    if (existing === undefined) {
      addProducer(plugins, `${name}-producer`, parameters, node);
    } else if (JSON.stringify(existing.parameters) !== JSON.stringify(parameters)) {
      (draft.parameters ?? node).fault(
        `there is one prefix cache, and ${existing.name} keeps it with other parameters`,
      );
    }
  }
  const configured = configure(definition, undefined, node);
  if (configured === undefined) return;
  plugins.add({ name, definition, configured, parameters: {}, position: node.position });
}

function addProducer(
  plugins: PluginSet,
  name: string,
  parameters: unknown,
  node: SourceNode,
): void {
  const definition = plugins.registry.find(PREFIX_CACHE_PRODUCER);
  if (plugins.isTaken(name)) {
    node.fault(`the name ${name} is needed for its ${PREFIX_CACHE_PRODUCER}`);
    return;
  }
  if (definition === undefined) {
    node.faultAt(["type"], `needs a plugin of type ${PREFIX_CACHE_PRODUCER}`);
    return;
  }
  const configured = configure(definition, parameters, node);
  if (configured === undefined) return;
  plugins.add({ name, definition, configured, parameters, position: undefined });
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
function keysOf(path: string): readonly PathKey[] {
  return Array.from(path.matchAll(/\[(\d+)\]|[^.[\]]+/g), ([key, index]) =>
    index === undefined ? key : Number(index),
  );
}

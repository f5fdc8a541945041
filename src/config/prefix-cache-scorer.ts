import { invariant } from "../core/invariant.ts";
import type { PluginDefinition } from "../plugin/define-plugin.ts";
import { PREFIX_CACHE_PRODUCER } from "./compatibility.ts";
import type { PluginSet } from "./plugin-set.ts";
import {
  PREFIX_CACHE_PARAMETERS,
  type PrefixCacheParameters,
  readPrefixCache,
} from "./prefix-cache.ts";
import type { PluginEntry } from "./router-config.ts";
import type { SourceNode } from "./source-node.ts";

/** One item of `plugins` before its parameters are decoded. */
export interface PluginDraft {
  readonly node: SourceNode;
  readonly name: string;
  readonly isNamed: boolean;
  /** Undefined when the type is not registered or may not be used. */
  readonly definition: PluginDefinition | undefined;
  readonly parameters: SourceNode | undefined;
}

/** A draft whose type is known. */
export interface PlacedDraft extends PluginDraft {
  readonly definition: PluginDefinition;
}

/** Names the producer whose match the scorer reads. */
const PRODUCER_NAME = "prefixMatchInfoProducerName";
/** What the scorer itself takes; the rest configures the cache. */
export const SCORER_PARAMETERS: readonly string[] = [
  PRODUCER_NAME,
  "matchLengthWeight",
  "matchLengthScaleTokens",
];

/**
 * The scorer of the byte era is two plugins here: the scorer, and a producer that keeps the index and
 * takes the cache's parameters. Adds that producer where it is meant and gives the scorer's own
 * parameters.
 */
export function splitPrefixCacheScorer(
  plugins: PluginSet,
  draft: PlacedDraft,
  hasProducer: boolean,
): Readonly<Record<string, unknown>> {
  const known = [...PREFIX_CACHE_PARAMETERS, ...SCORER_PARAMETERS];
  const fields = draft.parameters?.entries(known);
  const own = Object.fromEntries(
    [...(fields ?? [])].flatMap(([key, { value }]) =>
      SCORER_PARAMETERS.includes(key) ? [[key, value] as const] : [],
    ),
  );
  const isCacheGiven = PREFIX_CACHE_PARAMETERS.some((key) => fields?.has(key) === true);
  const namesProducer = own[PRODUCER_NAME] !== undefined;
  if (hasProducer || namesProducer) {
    const keeper = namesProducer ? String(own[PRODUCER_NAME]) : PREFIX_CACHE_PRODUCER;
    if (isCacheGiven) draft.parameters?.fault(`the cache is configured by the ${keeper}`);
    return own;
  }
  // In the token era a scorer that says nothing gets the default producer like any other reader.
  if (!isCacheGiven && plugins.context.era === "tokens") return own;
  const cache = readPrefixCache(fields, "bytes", plugins.notes);
  const keeper = producersOf(plugins).find((entry) => isSame(entry.parameters, cache));
  const producer = keeper ?? addProducer(plugins, draft, cache);
  const isFirst = producer === undefined || producer === producersOf(plugins)[0];
  return isFirst ? own : { ...own, [PRODUCER_NAME]: producer.name };
}

function producersOf({ entries }: PluginSet): readonly PluginEntry[] {
  return entries.filter(({ definition }) => definition.type === PREFIX_CACHE_PRODUCER);
}

function isSame(one: unknown, other: PrefixCacheParameters): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function addProducer(
  plugins: PluginSet,
  { name: scorer, node }: PluginDraft,
  parameters: PrefixCacheParameters,
): PluginEntry | undefined {
  const name = `${scorer}-producer`;
  const definition = plugins.registry.find(PREFIX_CACHE_PRODUCER);
  if (plugins.isTaken(name)) {
    node.fault(`the name ${name} is needed for its ${PREFIX_CACHE_PRODUCER}`);
    return undefined;
  }
  if (definition === undefined) {
    node.faultAt(["type"], `needs a plugin of type ${PREFIX_CACHE_PRODUCER}`);
    return undefined;
  }
  const configured = definition.configure(parameters);
  plugins.add({ name, definition, configured, parameters, position: undefined });
  const added = plugins.entry(name);
  invariant(added !== undefined, `${name} was not added`);
  return added;
}

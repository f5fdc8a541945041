import { DEFAULT_PRODUCERS, PREFIX_CACHE_PRODUCER } from "./compatibility.ts";
import type { PluginSet } from "./plugin-set.ts";
import { defaultPrefixCache } from "./prefix-cache.ts";
import type { PluginEntry } from "./router-config.ts";

/**
 * Adds the default producer of each attribute that somebody needs and nobody sets, and puts
 * producers behind those whose attributes they read.
 */
export function settleProducers(plugins: PluginSet): void {
  // A plugin that could not be read may be the producer that is missed.
  if (!plugins.isComplete) return;
  const missed = new Set<string>();
  // Entries that are added here are visited too, so what they need is added as well.
  for (const entry of plugins.entries) {
    for (const attribute of neededBy(plugins, entry)) {
      if (missed.has(attribute) || isProduced(plugins, attribute)) continue;
      missed.add(attribute);
      addProducerOf(plugins, attribute, entry);
    }
  }
  orderProducers(plugins);
}

/** A handler decides without what it reads; others are told by llm-d's data keys to be required. */
function neededBy(plugins: PluginSet, { definition, configured }: PluginEntry): readonly string[] {
  if (definition.roles.includes("handler")) return [];
  const asksInert = configured.references.some(
    ({ name }) => plugins.entry(name)?.definition.isInert === true,
  );
  const own = new Set(definition.produces?.map(({ name }) => name));
  return asksInert
    ? []
    : (definition.reads ?? []).map(({ name }) => name).filter((name) => !own.has(name));
}

function isProduced(plugins: PluginSet, attribute: string): boolean {
  return plugins.entries.some(({ definition }) =>
    definition.produces?.some(({ name }) => name === attribute),
  );
}

function addProducerOf(plugins: PluginSet, attribute: string, reader: PluginEntry): void {
  const type = DEFAULT_PRODUCERS[attribute];
  const parameters =
    type === PREFIX_CACHE_PRODUCER ? defaultPrefixCache(plugins.context.era) : undefined;
  const added = type === undefined ? undefined : plugins.addDefault(type, parameters);
  if (added !== undefined) {
    plugins.notes.push({
      message: `${reader.name} needs ${attribute}: ${added.name} with its defaults is used`,
      position: reader.position,
    });
    return;
  }
  const producers = plugins.registry.types.filter((other) =>
    plugins.registry.find(other)?.produces?.some(({ name }) => name === attribute),
  );
  plugins
    .declared(reader.name)
    ?.node.fault(`${reader.name} needs ${attribute}, which nobody produces`, producers);
}

/** Producers run in the order of the list: each takes a producer's place, after those it reads. */
function orderProducers(plugins: PluginSet): void {
  const { entries } = plugins;
  const producers = entries.filter(({ definition }) => definition.roles.includes("produce"));
  const sorted: PluginEntry[] = [];
  const open = new Set<PluginEntry>();
  const visit = (entry: PluginEntry): void => {
    if (sorted.includes(entry)) return;
    if (open.has(entry)) {
      const members = [...open].map(({ name }) => name).join(" and ");
      const reader = [...open].find(({ name }) => plugins.has(name));
      plugins
        .declared(reader?.name ?? "")
        ?.node.fault(`${members} each need what the other produces`);
      return;
    }
    open.add(entry);
    for (const other of producers) if (other !== entry && isReadBy(other, entry)) visit(other);
    open.delete(entry);
    if (!sorted.includes(entry)) sorted.push(entry);
  };
  for (const producer of producers) visit(producer);
  let next = 0;
  for (const [index, entry] of entries.entries()) {
    if (producers.includes(entry)) entries[index] = sorted[next++] ?? entry;
  }
}

function isReadBy(producer: PluginEntry, reader: PluginEntry): boolean {
  const read = reader.definition.reads?.map(({ name }) => name) ?? [];
  return producer.definition.produces?.some(({ name }) => read.includes(name)) ?? false;
}

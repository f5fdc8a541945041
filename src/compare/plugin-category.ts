import { PLUGIN_CATEGORIES, PLUGIN_FACTS, type PluginCategory } from "./plugin-facts.ts";
import type { PluginEntry, PluginRole } from "./side.ts";

const CATEGORY_BY_ROLE: readonly (readonly [PluginRole, PluginCategory])[] = [
  ["handler", "handler"],
  ["filter", "filter"],
  ["score", "scorer"],
  ["pick", "picker"],
];

/** The category of a plugin instance: by its facts, else by its roles. */
export function categoryOf({ definition }: PluginEntry): PluginCategory {
  const known = PLUGIN_FACTS.get(definition.type)?.category;
  if (known !== undefined) return known;
  const found = CATEGORY_BY_ROLE.find(([role]) => definition.roles.includes(role));
  return found?.[1] ?? "other";
}

/** Types of each category that has some, in the categories' order; instances of one type count once. */
export function typesByCategory(
  entries: readonly PluginEntry[],
): ReadonlyMap<PluginCategory, readonly string[]> {
  const types = new Map<PluginCategory, readonly string[]>();
  for (const category of PLUGIN_CATEGORIES) {
    const members = entries.filter((entry) => categoryOf(entry) === category);
    if (members.length === 0) continue;
    types.set(category, [...new Set(members.map(({ definition }) => definition.type))]);
  }
  return types;
}

/** Instances that the file names; loading adds others, such as a scorer's producer. */
export function writtenPlugins(entries: readonly PluginEntry[]): readonly PluginEntry[] {
  return entries.filter(({ position }) => position !== undefined);
}

import type { PluginReference } from "../plugin/define-plugin.ts";
import { DEFAULT_PRODUCERS, PREFIX_CACHE_PRODUCER } from "./compatibility.ts";
import { nearMiss } from "./near-miss.ts";
import type { PluginSet } from "./plugin-set.ts";
import { defaultPrefixCache } from "./prefix-cache.ts";
import { keysOf } from "./read-plugins.ts";

/** Checks that instances named by parameters are there, have the role they need, and form no loop. */
export function checkReferences(plugins: PluginSet): void {
  for (const { name, configured } of [...plugins.entries]) {
    for (const reference of configured.references) checkReference(plugins, name, reference);
  }
  for (const { name } of plugins.entries) faultLoop(plugins, name);
}

function checkReference(plugins: PluginSet, from: string, reference: PluginReference): void {
  const { name, role } = reference;
  const node = plugins.declared(from)?.node;
  const fault = (message: string, allowed: readonly string[]): void =>
    node?.faultAt(["parameters", ...keysOf(reference.path)], message, allowed);
  if (plugins.declared(name)?.definition === undefined && plugins.has(name)) return;
  const target = plugins.entry(name) ?? addNamedDefault(plugins, reference);
  const fitting = plugins.entries
    .filter(({ definition }) => definition.roles.includes(role))
    .map((entry) => entry.name);
  if (target === undefined) {
    if (!plugins.has(name)) fault(`no plugin is named ${name}${nearMiss(name, fitting)}`, fitting);
  } else if (target.definition.isInert === true) {
    const message = `${from} asks ${name}, which has no effect here yet`;
    plugins.notes.push({ message, position: node?.positionOf(["parameters"]) });
  } else if (!target.definition.roles.includes(role)) {
    fault(`${name} is a ${target.definition.type}, which cannot ${role}`, fitting);
  }
}

/** llm-d makes a producer that is named by its type when no file declares it. */
function addNamedDefault(
  plugins: PluginSet,
  { name, role }: PluginReference,
): ReturnType<PluginSet["addDefault"]> {
  const isDefault = role === "produce" && Object.values(DEFAULT_PRODUCERS).includes(name);
  if (!isDefault || plugins.has(name)) return undefined;
  const parameters =
    name === PREFIX_CACHE_PRODUCER ? defaultPrefixCache(plugins.context.era) : undefined;
  return plugins.addDefault(name, parameters);
}

/** A loop is told once, at the first of its members in the file. */
function faultLoop(plugins: PluginSet, start: string): void {
  const order = new Map(plugins.entries.map(({ name }, index) => [name, index]));
  const first = order.get(start) ?? 0;
  const seen = new Set<string>();
  const walk = (name: string, trail: readonly string[]): boolean => {
    for (const { path, name: next } of plugins.entry(name)?.configured.references ?? []) {
      if (next === start) {
        const loop = [...trail, start].join(" → ");
        plugins
          .declared(name)
          ?.node.faultAt(["parameters", ...keysOf(path)], `refers back to itself: ${loop}`);
        return true;
      }
      if (seen.has(next) || (order.get(next) ?? 0) < first) continue;
      seen.add(next);
      if (walk(next, [...trail, next])) return true;
    }
    return false;
  };
  walk(start, [start]);
}

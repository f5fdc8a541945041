import { invariant } from "../core/invariant.ts";
import type { PluginDefinition } from "./define-plugin.ts";

/** Plugin types by name. */
export interface Registry {
  readonly types: readonly string[];
  find(type: string): PluginDefinition | undefined;
}

/** Builds a registry from an explicit list; two definitions of one type are a programmer's error. */
export function createRegistry(definitions: readonly PluginDefinition[]): Registry {
  const byType = new Map<string, PluginDefinition>();
  for (const definition of definitions) {
    invariant(!byType.has(definition.type), `two plugins of type ${definition.type}`);
    byType.set(definition.type, definition);
  }
  return { types: [...byType.keys()], find: (type) => byType.get(type) };
}

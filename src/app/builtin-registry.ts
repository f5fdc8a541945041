import { createRegistry, type Registry } from "../plugin/registry.ts";
import { builtinPlugins } from "../plugins/builtin-plugins.ts";

/** The plugin types that are part of the program. */
export function builtinRegistry(): Registry {
  return createRegistry(builtinPlugins);
}

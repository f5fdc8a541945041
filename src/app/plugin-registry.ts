import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigError } from "../core/config-error.ts";
import type { PluginDefinition } from "../plugin/define-plugin.ts";
import { type PluginApi, pluginApi } from "../plugin/plugin-api.ts";
import { createRegistry, type Registry } from "../plugin/registry.ts";
import { knownPlugins } from "../plugins/builtin-plugins.ts";

/** The plugin types that are part of the program. */
export function builtinRegistry(): Registry {
  return createRegistry(knownPlugins);
}

/**
 * The builtin types and those of the given files. A file exports `plugin`, a function from the plugin
 * API to a definition. Throws ConfigError for one that cannot be loaded or takes a type that is there.
 */
export async function loadRegistry(files: readonly string[]): Promise<Registry> {
  const definitions = [...knownPlugins];
  for (const file of files) {
    const definition = await loadPlugin(file);
    if (definitions.some(({ type }) => type === definition.type)) {
      throw fault(`${file}: a plugin of type ${definition.type} exists already`);
    }
    definitions.push(definition);
  }
  return createRegistry(definitions);
}

async function loadPlugin(file: string): Promise<PluginDefinition> {
  let loaded: { readonly plugin?: unknown };
  try {
    loaded = (await import(pathToFileURL(resolve(file)).href)) as { readonly plugin?: unknown };
  } catch (error) {
    throw fault(`${file} cannot be loaded: ${messageOf(error)}`);
  }
  const { plugin } = loaded;
  if (typeof plugin !== "function") {
    throw fault(`${file} must export \`plugin\`, a function from the plugin API to a definition`);
  }
  try {
    const definition: unknown = (plugin as (api: PluginApi) => unknown)(pluginApi);
    if (isDefinition(definition)) return definition;
  } catch (error) {
    throw fault(`${file}: its \`plugin\` function threw: ${messageOf(error)}`);
  }
  throw fault(`${file}: its \`plugin\` function must return what definePlugin gives`);
}

function isDefinition(value: unknown): value is PluginDefinition {
  if (typeof value !== "object" || value === null) return false;
  return "type" in value && "configure" in value && typeof value.configure === "function";
}

function fault(message: string): ConfigError {
  return new ConfigError([{ path: "--plugin", message }]);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

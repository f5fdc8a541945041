import type { Command } from "commander";
import { loadRegistry } from "../app/plugin-registry.ts";
import type { LoadOptions } from "../config/load-options.ts";
import { collect } from "./option-values.ts";

/** Which plugins a configuration may use. */
export interface PluginFlags {
  readonly plugin: readonly string[];
  readonly allowExperimentalPlugins?: true;
}

/** Adds them to a command that loads configurations. */
export function addPluginFlags(command: Command): Command {
  return command
    .option("--plugin <file>", "plugin of your own; may be repeated", collect, [])
    .option("--allow-experimental-plugins", "allow plugins of alpha stability");
}

/** What loading needs; throws ConfigError for a plugin file that cannot be used. */
export async function loadOptionsOf(flags: PluginFlags): Promise<LoadOptions> {
  const registry = await loadRegistry(flags.plugin);
  return { registry, allowAlpha: flags.allowExperimentalPlugins === true };
}

import type { ProfileName } from "../core/brand.ts";
import { invariant } from "../core/invariant.ts";
import type { ConfiguredPlugin, PluginDefinition, PluginHandle } from "../plugin/define-plugin.ts";
import type { BoundPlugin } from "../plugin/instrument.ts";
import type { PluginInstance } from "../plugin/plugin-instance.ts";
import type { SchedulingProfile } from "../scheduling/scheduling-profile.ts";
import type { ModelRewrite } from "./model-rewrite.ts";

/** What a pool's router is made from; a loaded and checked configuration has this shape. */
export interface PoolBlueprint {
  readonly plugins: readonly {
    readonly name: string;
    readonly definition: PluginDefinition;
    readonly configured: ConfiguredPlugin;
  }[];
  readonly profiles: readonly {
    readonly name: ProfileName;
    readonly plugins: readonly { readonly pluginRef: string; readonly weight: number }[];
  }[];
  /** Models that stand in for others. */
  readonly rewrites?: readonly ModelRewrite[];
  /** Priorities that requests ask for by name. */
  readonly objectives?: readonly { readonly name: string; readonly priority: number }[];
}

/** A pool's plugin instances, wired into profiles. */
export interface PoolPlugins {
  readonly all: readonly BoundPlugin[];
  readonly handler: BoundPlugin;
  readonly profiles: readonly SchedulingProfile[];
}

/** Makes every instance once; loading has checked that handler, references and pickers are right. */
export function makePlugins(
  blueprint: PoolBlueprint,
  handleFor: (name: string) => PluginHandle,
): PoolPlugins {
  const all = blueprint.plugins.map(({ name, definition, configured }) => {
    const instance: PluginInstance = configured.create(handleFor(name));
    return { name, type: definition.type, instance };
  });
  const handler = all.find((plugin) => plugin.instance.handler !== undefined);
  invariant(handler !== undefined, "a configuration without profile handler was let through");
  const byName = new Map(all.map((plugin) => [plugin.name, plugin]));
  const profiles = blueprint.profiles.map(({ name, plugins }) => {
    const used = plugins.map(({ pluginRef, weight }) => {
      const plugin = byName.get(pluginRef);
      invariant(plugin !== undefined, `profile ${name} refers to ${pluginRef}, which is not there`);
      return { plugin, weight };
    });
    const picker = used.find(({ plugin }) => plugin.instance.pick !== undefined)?.plugin;
    invariant(picker !== undefined, `profile ${name} has no picker`);
    return {
      name,
      filters: used
        .map(({ plugin }) => plugin)
        .filter((plugin) => plugin.instance.filter !== undefined),
      scorers: used.filter(({ plugin }) => plugin.instance.score !== undefined),
      picker,
    };
  });
  return { all, handler, profiles };
}

import type { PluginEntry, RouterConfig } from "../config/router-config.ts";
import type { SourceNode } from "../config/source-node.ts";
import type { SourcePosition } from "../core/config-error.ts";
import type { Role } from "../plugin/plugin-instance.ts";

/** A scheduler configuration as written. */
export interface Picker {
  readonly config: RouterConfig;
  readonly root: SourceNode;
  readonly plugins: readonly WrittenPlugin[];
  readonly profiles: readonly WrittenProfile[];
}

/** A plugin of the file. */
export interface WrittenPlugin {
  readonly name: string;
  /** As written, which may be an older name than the definition's. */
  readonly type: string;
  readonly entry: PluginEntry;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Place of a parameter, of `parameters`, or of the plugin. */
  at(parameter?: string): SourcePosition;
  readonly typePosition: SourcePosition;
}

/** A profile of the file, or the implied one. */
export interface WrittenProfile {
  readonly name: string;
  readonly position: SourcePosition;
  readonly uses: readonly PluginUse[];
}

/** A plugin's use in a profile. */
export interface PluginUse {
  readonly plugin: WrittenPlugin;
  readonly weight: number;
  readonly hasWeight: boolean;
  readonly position: SourcePosition;
  readonly weightPosition: SourcePosition;
}

/** Joins a loaded configuration with the places of its file. */
export function readPicker(config: RouterConfig, root: SourceNode): Picker {
  const written = root.at("plugins")?.value;
  const plugins = (Array.isArray(written) ? written : []).flatMap((item: unknown, index) => {
    const { type, name = type, parameters } = item as Readonly<Record<string, unknown>>;
    const entry = config.plugins.find((candidate) => candidate.name === name);
    if (entry === undefined) return [];
    return {
      name: entry.name,
      type: String(type),
      entry,
      parameters: (parameters ?? {}) as Readonly<Record<string, unknown>>,
      at: (parameter?: string) =>
        root.positionOf(
          parameter === undefined
            ? ["plugins", index]
            : ["plugins", index, "parameters", parameter],
        ),
      typePosition: root.positionOf(["plugins", index, "type"]),
    };
  });
  return { config, root, plugins, profiles: readProfiles(config, root, plugins) };
}

function readProfiles(
  config: RouterConfig,
  root: SourceNode,
  plugins: readonly WrittenPlugin[],
): readonly WrittenProfile[] {
  const list = root.at("schedulingProfiles")?.value;
  const hasList = Array.isArray(list) && list.length > 0;
  return config.profiles.map(({ name, plugins: uses }, index) => {
    const path = ["schedulingProfiles", index] as const;
    return {
      name,
      position: root.positionOf(path),
      uses: uses.flatMap(({ pluginRef, weight }, place) => {
        const plugin = plugins.find((candidate) => candidate.name === pluginRef);
        const isImplied = hasList && root.at(...path, "plugins", place) === undefined;
        // What loading added to the profile has no place.
        if (plugin === undefined || isImplied) return [];
        const use = [...path, "plugins", place];
        return {
          plugin,
          weight,
          hasWeight: root.at(...use, "weight") !== undefined,
          position: root.positionOf([...use, "pluginRef"]),
          weightPosition: root.positionOf([...use, "weight"]),
        };
      }),
    };
  });
}

/** Whether a plugin is of one of the types, by its written or its present name. */
export function isType(plugin: WrittenPlugin, ...types: readonly string[]): boolean {
  return types.includes(plugin.type) || types.includes(plugin.entry.definition.type);
}

export function hasRole(plugin: WrittenPlugin, role: Role): boolean {
  return plugin.entry.definition.roles.includes(role);
}

/** Uses of plugins that have a role. */
export function usesWith(profile: WrittenProfile, role: Role): readonly PluginUse[] {
  return profile.uses.filter(({ plugin }) => hasRole(plugin, role));
}

/** Plugins of certain types. */
export function pluginsOf(picker: Picker, ...types: readonly string[]): readonly WrittenPlugin[] {
  return picker.plugins.filter((plugin) => isType(plugin, ...types));
}

/** A handler that splits prefill from decode, and its profiles. */
export interface SplitHandler {
  readonly plugin: WrittenPlugin;
  readonly decode: WrittenProfile | undefined;
  readonly prefill: WrittenProfile | undefined;
}

/** Handlers that run a decode and a prefill profile. */
export const SPLIT_HANDLERS = ["pd-profile-handler", "disagg-profile-handler"] as const;

/** Finds the handler that splits, if the configuration has one. */
export function splitHandler(picker: Picker | undefined): SplitHandler | undefined {
  const [plugin] = picker === undefined ? [] : pluginsOf(picker, ...SPLIT_HANDLERS);
  if (picker === undefined || plugin === undefined) return undefined;
  const { parameters } = plugin;
  const nested = (parameters["profiles"] ?? {}) as Readonly<Record<string, unknown>>;
  const profile = (stage: "decode" | "prefill"): WrittenProfile | undefined => {
    const name = parameters[`${stage}Profile`] ?? nested[stage] ?? stage;
    return picker.profiles.find((candidate) => candidate.name === name);
  };
  return { plugin, decode: profile("decode"), prefill: profile("prefill") };
}

/** Bytes of a prompt that one prefix block covers, and how many blocks are looked at and kept. */
export interface PrefixCacheSettings {
  readonly blockBytes: number;
  readonly maxPrefixBlocksToMatch: number;
  readonly lruCapacityPerServer: number;
  /** Plugin that configures the cache. */
  readonly plugin: WrittenPlugin;
}

/** The prefix cache of a configuration, defaults filled in. */
export function prefixCacheOf(picker: Picker): PrefixCacheSettings | undefined {
  const producer = picker.config.plugins.find(({ definition }) => definition.type === PRODUCER);
  const plugin = pluginsOf(picker, PRODUCER)[0] ?? pluginsOf(picker, "prefix-cache-scorer")[0];
  if (producer === undefined || plugin === undefined) return undefined;
  const { parameters } = producer;
  const count = (name: string): number =>
    Number((parameters as Readonly<Record<string, unknown>>)[name]);
  return {
    blockBytes: count("blockBytes"),
    maxPrefixBlocksToMatch: count("maxPrefixBlocksToMatch"),
    lruCapacityPerServer: count("lruCapacityPerServer"),
    plugin,
  };
}

const PRODUCER = "approx-prefix-cache-producer";

/** First of the parameters that fix a prefix block's size, as written. */
export function blockSizeParameter(plugin: WrittenPlugin): string | undefined {
  return ["hashBlockSize", "blockSize", "blockSizeTokens"].find(
    (name) => plugin.parameters[name] !== undefined,
  );
}

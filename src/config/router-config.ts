import type { ProfileName } from "../core/brand.ts";
import type { SourcePosition } from "../core/config-error.ts";
import type { ConfiguredPlugin, PluginDefinition } from "../plugin/define-plugin.ts";

/** The internal form of an `EndpointPickerConfig`: both eras end here, and nothing below knows one. */
export interface RouterConfig {
  readonly plugins: readonly PluginEntry[];
  readonly profiles: readonly ProfileEntry[];
  /** What was mapped, defaulted or is deprecated: logged once at start, listed by `check`. */
  readonly notes: readonly ConfigNote[];
}

/** One plugin instance to make. */
export interface PluginEntry {
  /** Unique; the type unless named. */
  readonly name: string;
  readonly definition: PluginDefinition;
  readonly configured: ConfiguredPlugin;
  /** Decoded form of `parameters`, for `/api/config`. */
  readonly parameters: unknown;
  /** Undefined for an instance that no file names. */
  readonly position: SourcePosition | undefined;
}

/** One scheduling profile; entries keep the file's order, which is the filters' order. */
export interface ProfileEntry {
  readonly name: ProfileName;
  readonly plugins: readonly ProfilePluginEntry[];
}

/** A plugin's use in a profile. */
export interface ProfilePluginEntry {
  /** Name of the instance. */
  readonly pluginRef: string;
  /** Multiplies its score; 1 for a scorer without one, without meaning for others. */
  readonly weight: number;
}

/** Something that loading did and the operator should know. */
export interface ConfigNote {
  readonly message: string;
  readonly position: SourcePosition | undefined;
}

import type { ProfileName } from "../core/brand.ts";
import type { SourcePosition } from "../core/config-error.ts";
import type { ConfiguredPlugin, PluginDefinition } from "../plugin/define-plugin.ts";
import type { Mapping } from "./mapping-table.ts";

/** The internal form of an `EndpointPickerConfig`: both eras end here, and nothing below knows one. */
export interface RouterConfig {
  readonly plugins: readonly PluginEntry[];
  readonly profiles: readonly ProfileEntry[];
  /** Priorities that requests ask for by name. */
  readonly objectives: readonly ObjectiveEntry[];
  /** Models that stand in for others; the oldest object first. */
  readonly rewrites: readonly RewriteEntry[];
  /** What was mapped, defaulted or is deprecated: logged once at start, listed by `check`. */
  readonly notes: readonly ConfigNote[];
  /** Older forms that the file uses, in its order. */
  readonly mappings: readonly UsedMapping[];
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

/** An `InferenceObjective`: requests name it and get its priority. */
export interface ObjectiveEntry {
  readonly name: string;
  /** Higher is more important; below 0 may be shed. */
  readonly priority: number;
}

/** An `InferenceModelRewrite`. */
export interface RewriteEntry {
  readonly name: string;
  readonly rules: readonly RewriteRule[];
}

/** Which models are replaced by which. */
export interface RewriteRule {
  /** Exact model names; none means every model. */
  readonly matches: readonly string[];
  /** At least one. */
  readonly targets: readonly RewriteTarget[];
}

/** A model that may take the place of the asked one. */
export interface RewriteTarget {
  readonly model: string;
  readonly weight: number | undefined;
}

/** An older form that was read as what took its place. */
export interface UsedMapping {
  readonly mapping: Mapping;
  readonly position: SourcePosition;
}

/** Something that loading did and the operator should know. */
export interface ConfigNote {
  readonly message: string;
  readonly position: SourcePosition | undefined;
}

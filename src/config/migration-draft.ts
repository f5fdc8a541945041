import { invariant } from "../core/invariant.ts";
import type { Era } from "./compatibility.ts";
import { describeMapping, type Mapping } from "./mapping-table.ts";
import type { RouterConfig } from "./router-config.ts";
import type { YamlPath, YamlText } from "./yaml-text.ts";

/** A configuration in today's form. */
export interface Migration {
  readonly text: string;
  readonly changes: readonly MigrationChange[];
}

/** One thing that was rewritten. */
export interface MigrationChange {
  readonly message: string;
  /** Whether requests may be routed otherwise than before. */
  readonly isMeaningChanged: boolean;
}

/** One configuration while it is rewritten. */
export interface MigrationDraft {
  readonly yaml: YamlText;
  /** Where the configuration stands in its document. */
  readonly root: YamlPath;
  /** As it was loaded before the first change. */
  readonly config: RouterConfig;
  readonly era: Era;
  readonly changes: MigrationChange[];
}

/** Records a mapping that was applied. */
export function reportMapping(draft: MigrationDraft, mapping: Mapping | undefined): void {
  invariant(mapping !== undefined, "a mapping that is not in the table");
  const { isMeaningChanged } = mapping;
  draft.changes.push({ message: describeMapping(mapping), isMeaningChanged });
}

/** Paths of the items of `plugins`. */
export function pluginPaths({ yaml, root }: MigrationDraft): readonly YamlPath[] {
  const path = [...root, "plugins"];
  const plugins = yaml.value(path);
  return Array.isArray(plugins) ? plugins.map((_, index) => [...path, index]) : [];
}

/** Type and name of the plugin at a path. */
export function pluginAt(
  { yaml }: MigrationDraft,
  path: YamlPath,
): { readonly type: string; readonly name: string; readonly isNamed: boolean } {
  const type = String(yaml.value([...path, "type"]));
  const name = yaml.value([...path, "name"]);
  return { type, name: String(name ?? type), isNamed: name !== undefined && name !== null };
}

/** `wanted`, or that with a number behind it when a plugin of the text has the name. */
export function freeName(draft: MigrationDraft, wanted: string): string {
  let name = wanted;
  for (let number = 2; isNameTaken(draft, name); number++) name = `${wanted}-${number}`;
  return name;
}

/** Whether a plugin of the text has the name. */
export function isNameTaken(draft: MigrationDraft, name: string): boolean {
  return pluginPaths(draft).some((path) => pluginAt(draft, path).name === name);
}

/**
 * Gives a plugin another type. Where the type was its name, what refers to it follows; where that
 * name is taken, the older one is kept as its name.
 */
export function retype(draft: MigrationDraft, path: YamlPath, to: string): void {
  const { yaml } = draft;
  const { name, isNamed } = pluginAt(draft, path);
  const isTaken = isNameTaken(draft, to);
  yaml.set([...path, "type"], to);
  if (isNamed) return;
  if (isTaken) yaml.set([...path, "name"], name);
  else renameReferences(draft, draft.root, name, to);
}

/** Keys whose value is the name of a plugin. */
const REFERENCE_KEY = /(?:Ref|PluginName|ProducerName)$/;

function renameReferences(draft: MigrationDraft, path: YamlPath, from: string, to: string): void {
  const value = draft.yaml.value(path);
  if (Array.isArray(value)) {
    for (const index of value.keys()) renameReferences(draft, [...path, index], from, to);
    return;
  }
  for (const key of draft.yaml.keys(path)) {
    const inner = [...path, key];
    const isReference = REFERENCE_KEY.test(key) || path.at(-1) === "deciders";
    if (isReference && draft.yaml.value(inner) === from) draft.yaml.set(inner, to);
    else renameReferences(draft, inner, from, to);
  }
}

import { profileName } from "../core/brand.ts";
import { ROLES, type Role } from "../plugin/plugin-instance.ts";
import { DEFAULT_PICKER, DEFAULT_PROFILE, DEFAULT_WEIGHT } from "./compatibility.ts";
import { nearMiss } from "./near-miss.ts";
import type { PluginSet } from "./plugin-set.ts";
import type { ProfileEntry, ProfilePluginEntry } from "./router-config.ts";
import type { SourceNode } from "./source-node.ts";

/** Roles that act inside a profile; the others act by being listed in `plugins`. */
const PROFILE_ROLES: readonly Role[] = ["filter", "score", "pick"];

/** Reads `schedulingProfiles` with the defaults for what is left out. */
export function readProfiles(
  root: SourceNode,
  node: SourceNode | undefined,
  plugins: PluginSet,
): readonly ProfileEntry[] {
  const items = node?.items() ?? [];
  if (items.length === 0) return [defaultProfile(root, plugins)];
  const names = new Set<string>();
  return items.flatMap((item) => readProfile(item, names, plugins) ?? []);
}

function readProfile(
  node: SourceNode,
  names: Set<string>,
  plugins: PluginSet,
): ProfileEntry | undefined {
  const fields = node.entries(["name", "plugins"]);
  if (fields === undefined) return undefined;
  const nameNode = fields.get("name");
  if (nameNode === undefined) node.faultAt(["name"], "is required");
  const name = nameNode?.text();
  if (nameNode !== undefined && name !== undefined) {
    if (names.has(name)) nameNode.fault(`a profile named ${name} exists already`);
    names.add(name);
  }
  const list = fields.get("plugins");
  const items = list?.items() ?? [];
  const isEmptyList = list === undefined || (Array.isArray(list.value) && items.length === 0);
  if (isEmptyList) node.faultAt(["plugins"], "a profile needs at least one plugin");
  const entries = items.flatMap((item) => readProfilePlugin(item, plugins) ?? []);
  if (isEmptyList || name === undefined || entries.length < items.length) return undefined;
  checkPickers(items, entries, plugins);
  return finishProfile(node, name, entries, plugins);
}

function readProfilePlugin(node: SourceNode, plugins: PluginSet): ProfilePluginEntry | undefined {
  const fields = node.entries(["pluginRef", "weight"]);
  if (fields === undefined) return undefined;
  const weightNode = fields.get("weight");
  const weight = weightNode === undefined ? undefined : readWeight(weightNode);
  const refNode = fields.get("pluginRef");
  if (refNode === undefined) {
    node.faultAt(["pluginRef"], "is required", plugins.names);
    return undefined;
  }
  const pluginRef = refNode.text();
  if (pluginRef === undefined) return undefined;
  if (!plugins.has(pluginRef)) {
    refNode.fault(
      `no plugin is named ${pluginRef}${nearMiss(pluginRef, plugins.names)}`,
      plugins.names,
    );
    return undefined;
  }
  const hasRole = (role: Role): boolean => plugins.hasRole(pluginRef, role);
  if (ROLES.some(hasRole) && !PROFILE_ROLES.some(hasRole)) {
    plugins.notes.push({
      message: `${pluginRef} has no effect in a profile: it acts by being listed in plugins`,
      position: refNode.position,
    });
  }
  if (weightNode === undefined && hasRole("score")) {
    plugins.notes.push({
      message: `${pluginRef} has no weight: ${DEFAULT_WEIGHT} is used`,
      position: refNode.position,
    });
  }
  return { pluginRef, weight: weight ?? DEFAULT_WEIGHT };
}

function readWeight(node: SourceNode): number | undefined {
  const { value } = node;
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
  node.fault("must be a finite number of at least 0");
  return undefined;
}

function checkPickers(
  items: readonly SourceNode[],
  entries: readonly ProfilePluginEntry[],
  plugins: PluginSet,
): void {
  const pickers = entries.flatMap(({ pluginRef }, index) =>
    plugins.hasRole(pluginRef, "pick") ? [{ pluginRef, node: items[index] }] : [],
  );
  for (const { pluginRef, node } of pickers.slice(1)) {
    node?.faultAt(
      ["pluginRef"],
      `a profile has one picker: ${pickers[0]?.pluginRef} comes before ${pluginRef}`,
    );
  }
}

function defaultProfile(root: SourceNode, plugins: PluginSet): ProfileEntry {
  const members = plugins.names.filter((name) =>
    PROFILE_ROLES.some((role) => plugins.hasRole(name, role)),
  );
  plugins.notes.push({
    message: `no scheduling profile: ${DEFAULT_PROFILE} with every usable plugin is used`,
    position: root.positionOf(["schedulingProfiles"]),
  });
  for (const { node } of plugins.withRole("pick").slice(1)) {
    node.fault("a second picker needs a scheduling profile that names it");
  }
  const entries = members.map((pluginRef) => ({ pluginRef, weight: DEFAULT_WEIGHT }));
  return finishProfile(root, DEFAULT_PROFILE, entries, plugins);
}

/** Adds a picker where none is named: the file's first one, else the default type. */
function finishProfile(
  node: SourceNode,
  name: string,
  entries: readonly ProfilePluginEntry[],
  plugins: PluginSet,
): ProfileEntry {
  const finished = { name: profileName(name), plugins: entries };
  const hasPicker = entries.some(({ pluginRef }) => plugins.hasRole(pluginRef, "pick"));
  if (hasPicker || !plugins.isComplete) return finished;
  const picker =
    plugins.entries.find(({ definition }) => definition.roles.includes("pick")) ??
    plugins.addDefault(DEFAULT_PICKER);
  if (picker === undefined) {
    node.fault("no picker: list one in plugins");
    return finished;
  }
  plugins.notes.push({
    message: `profile ${name} has no picker: ${picker.name} is used`,
    position: node.position,
  });
  return { ...finished, plugins: [...entries, { pluginRef: picker.name, weight: DEFAULT_WEIGHT }] };
}

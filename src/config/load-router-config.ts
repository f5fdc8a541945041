import { ConfigError, type ConfigFault } from "../core/config-error.ts";
import { invariant } from "../core/invariant.ts";
import { checkReferences } from "./check-references.ts";
import {
  API_VERSIONS,
  CONFIG_KIND,
  DEFAULT_HANDLER,
  eraOf,
  UNUSED_FIELDS,
} from "./compatibility.ts";
import { settleProducers } from "./default-producers.ts";
import { checkFeatureGates } from "./feature-gates.ts";
import type { LoadOptions } from "./load-options.ts";
import { mappingOf } from "./mapping-table.ts";
import type { PluginSet, ReadContext } from "./plugin-set.ts";
import { isPoolObject, readPoolObjects } from "./pool-objects.ts";
import { readPlugins } from "./read-plugins.ts";
import { readProfiles } from "./read-profiles.ts";
import type { ProfileEntry, RouterConfig } from "./router-config.ts";
import type { SourceNode } from "./source-node.ts";
import { parseSource, type SourceText } from "./source-text.ts";

/** An `EndpointPickerConfig` as text, and what is needed to load it. */
export interface RouterConfigSource extends SourceText, LoadOptions {}

/**
 * Loads an `EndpointPickerConfig` of either era, YAML or JSON; throws ConfigError with every fault
 * found.
 */
export function loadRouterConfig(source: RouterConfigSource): RouterConfig {
  const faults: ConfigFault[] = [];
  const documents = parseSource(source, faults);
  const [root, second] = documents.filter((document) => !isPoolObject(document));
  second?.fault(`one ${CONFIG_KIND} is expected, this is a second one`);
  const isEmpty = root === undefined && faults.length === 0;
  if (isEmpty) faults.push({ path: "", message: `${source.file} holds no ${CONFIG_KIND}` });
  const config = root === undefined ? undefined : readRouterConfig(root, source);
  const objects = readPoolObjects(documents);
  throwFaults(faults);
  invariant(config !== undefined, "a configuration without faults was not read");
  return { ...config, ...objects };
}

/** Throws the faults, if any, in the order of the file. */
export function throwFaults(faults: readonly ConfigFault[]): void {
  if (faults.length === 0) return;
  throw new ConfigError(
    faults.toSorted(
      ({ position: one }, { position: other }) =>
        (one?.line ?? 0) - (other?.line ?? 0) || (one?.column ?? 0) - (other?.column ?? 0),
    ),
  );
}

/** Reads one configuration; faults go to its document, and one there makes the result useless. */
export function readRouterConfig(root: SourceNode, options: LoadOptions): RouterConfig | undefined {
  const fields = root.entries([
    "apiVersion",
    "kind",
    "plugins",
    "schedulingProfiles",
    "featureGates",
    ...UNUSED_FIELDS,
  ]);
  if (fields === undefined) return undefined;
  checkConstant(root, fields, "apiVersion", API_VERSIONS);
  checkConstant(root, fields, "kind", [CONFIG_KIND]);
  const era = eraOf(fields.get("apiVersion")?.value);
  const context: ReadContext = { options, era, notes: [], mappings: [] };
  noteMappings(fields, context);
  const gates = fields.get("featureGates");
  if (gates !== undefined) checkFeatureGates(gates, context);
  noteUnusedFields(fields, context);
  const plugins = readPlugins(fields.get("plugins"), context);
  const profiles = readProfiles(root, fields.get("schedulingProfiles"), plugins);
  settleHandler(root, fields.get("schedulingProfiles"), plugins, profiles);
  checkReferences(plugins);
  settleProducers(plugins);
  const { notes, mappings } = context;
  return { plugins: plugins.entries, profiles, objectives: [], rewrites: [], notes, mappings };
}

function checkConstant(
  root: SourceNode,
  fields: ReadonlyMap<string, SourceNode>,
  name: string,
  allowed: readonly string[],
): void {
  const node = fields.get(name);
  if (node === undefined) root.faultAt([name], "is required", allowed);
  else if (!allowed.some((value) => value === node.value)) {
    node.fault(`unknown ${name} ${JSON.stringify(node.value)}`, allowed);
  }
}

function noteMappings(fields: ReadonlyMap<string, SourceNode>, { mappings }: ReadContext): void {
  for (const [name, node] of fields) {
    const mapping =
      name === "apiVersion" ? mappingOf(name, String(node.value)) : mappingOf("field", name);
    if (mapping !== undefined) mappings.push({ mapping, position: node.position });
  }
}

function noteUnusedFields(fields: ReadonlyMap<string, SourceNode>, { notes }: ReadContext): void {
  for (const name of UNUSED_FIELDS) {
    const node = fields.get(name);
    if (node === undefined) continue;
    node.entries();
    notes.push({ message: `${name} has no effect here yet`, position: node.position });
  }
}

/** One handler among all plugins decides; with a single profile the simplest one is implied. */
function settleHandler(
  root: SourceNode,
  profilesNode: SourceNode | undefined,
  plugins: PluginSet,
  profiles: readonly ProfileEntry[],
): void {
  const [first, ...others] = plugins.withRole("handler");
  for (const { node, name } of others) {
    node.fault(
      `a configuration has one profile handler: ${first?.name} is one, ${name} is another`,
    );
  }
  const written = profilesNode?.value;
  const profileCount = Math.max(profiles.length, Array.isArray(written) ? written.length : 0);
  if (first === undefined && plugins.isComplete) {
    const handler = profileCount === 1 ? plugins.addDefault(DEFAULT_HANDLER) : undefined;
    if (handler === undefined) {
      root.faultAt(
        ["plugins"],
        `${profileCount} profiles need a profile handler`,
        plugins.registry.types.filter((type) =>
          plugins.registry.find(type)?.roles.includes("handler"),
        ),
      );
      return;
    }
    plugins.notes.push({
      message: `no profile handler: ${DEFAULT_HANDLER} is used`,
      position: root.positionOf(["plugins"]),
    });
  }
  // A profile that could not be read may be the one that a plugin misses.
  if (profiles.length < profileCount) return;
  const names = profiles.map(({ name }) => name);
  for (const { name, node } of plugins.all) {
    const entry = plugins.entries.find((one) => one.name === name);
    const fault = entry?.configured.profilesFault(names);
    if (fault !== undefined) node.fault(fault);
  }
}

import type { Json } from "../core/json.ts";
import { API_VERSIONS, CONFIG_KIND, eraOf } from "./compatibility.ts";
import { parseFeatureGate } from "./feature-gates.ts";
import { loadRouterConfig, type RouterConfigSource } from "./load-router-config.ts";
import { mappingOf } from "./mapping-table.ts";
import { migratePdHandler } from "./migrate-pd-handler.ts";
import { migratePreciseScorer } from "./migrate-precise-scorer.ts";
import { migrateCaches } from "./migrate-prefix-cache.ts";
import {
  freeName,
  type Migration,
  type MigrationChange,
  type MigrationDraft,
  pluginAt,
  pluginPaths,
  reportMapping,
  retype,
} from "./migration-draft.ts";
import type { RouterConfig } from "./router-config.ts";
import { type YamlPath, YamlText } from "./yaml-text.ts";

/** Rewrites an `EndpointPickerConfig` to today's form; throws ConfigError when it does not load. */
export function migrateConfig(source: RouterConfigSource): Migration {
  const config = loadRouterConfig(source);
  const migration = migrateAt({ text: source.text, kind: CONFIG_KIND, root: [], config });
  loadRouterConfig({ ...source, text: migration.text });
  return migration;
}

/** Rewrites the loaded configuration at `root` in the document of that `kind`. */
export function migrateAt(at: {
  readonly text: string;
  readonly kind: string;
  readonly root: YamlPath;
  readonly config: RouterConfig;
}): Migration {
  const { text, root, config } = at;
  const yaml = new YamlText(text, at.kind);
  yaml.expandAliases(root);
  const changes = rewrite(yaml, root, config);
  return { text: changes.length === 0 ? text : yaml.text, changes };
}

function rewrite(yaml: YamlText, root: YamlPath, config: RouterConfig): readonly MigrationChange[] {
  const era = eraOf(yaml.value([...root, "apiVersion"]));
  const draft: MigrationDraft = { yaml, root, config, era, changes: [] };
  migrateVersion(draft);
  migrateGates(draft);
  migrateTypes(draft);
  migrateCaches(draft);
  migratePdHandler(draft);
  migratePreciseScorer(draft);
  migrateSections(draft);
  return draft.changes;
}

function migrateVersion(draft: MigrationDraft): void {
  const path = [...draft.root, "apiVersion"];
  const mapping = mappingOf("apiVersion", String(draft.yaml.value(path)));
  if (mapping === undefined) return;
  draft.yaml.set(path, API_VERSIONS[1]);
  reportMapping(draft, mapping);
}

function migrateGates(draft: MigrationDraft): void {
  const path = [...draft.root, "featureGates"];
  for (;;) {
    const gates = draft.yaml.value(path);
    const index = Array.isArray(gates)
      ? gates.findIndex((gate) => mappingOf("gate", parseFeatureGate(String(gate)).name))
      : -1;
    if (!Array.isArray(gates) || index === -1) return;
    reportMapping(draft, mappingOf("gate", parseFeatureGate(String(gates[index])).name));
    draft.yaml.remove([...path, index]);
  }
}

function migrateTypes(draft: MigrationDraft): void {
  for (const path of pluginPaths(draft)) {
    const { type } = pluginAt(draft, path);
    const mapping = mappingOf("type", type);
    if (mapping?.isRename !== true) continue;
    // Blocks or usage was the choice; today's scorer knows usage only.
    const mode = [...path, "parameters", "mode"];
    if (type === "kv-cache-scorer" && draft.yaml.value(mode) !== undefined) draft.yaml.remove(mode);
    retype(draft, path, mapping.to);
    reportMapping(draft, mapping);
  }
}

function migrateSections(draft: MigrationDraft): void {
  moveSection(draft, "saturationDetector", "flowControl", "saturationDetector", (value) =>
    detectorRef(draft, value),
  );
  moveSection(draft, "parser", "requestHandler", "parsers", (value) => [value]);
}

function moveSection(
  { yaml, root, changes, ...draft }: MigrationDraft,
  field: string,
  section: string,
  inner: string,
  wrap: (value: Json) => Json,
): void {
  const path = [...root, field];
  const target = [...root, section];
  const value = yaml.value(path) as Json | undefined;
  if (value === undefined || value === null) return;
  reportMapping({ yaml, root, changes, ...draft }, mappingOf("field", field));
  if (yaml.value([...target, inner]) !== undefined) yaml.remove(path);
  else if (yaml.value(target) === undefined)
    yaml.replacePair(path, section, { [inner]: wrap(value) });
  else {
    yaml.set([...target, inner], wrap(value));
    yaml.remove(path);
  }
}

/** The detector's thresholds stood in the section itself before there was a plugin for them. */
function detectorRef(draft: MigrationDraft, value: Json): Json {
  const isReference = typeof value === "object" && value !== null && "pluginRef" in value;
  if (isReference) return value;
  const type = "utilization-detector";
  const name = freeName(draft, type);
  const last = pluginPaths(draft).at(-1);
  const item = { type, ...(name === type ? {} : { name }), parameters: value };
  if (last !== undefined) draft.yaml.insertAfter(last, item);
  return { pluginRef: name };
}

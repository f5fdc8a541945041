import type { Json } from "../core/json.ts";
import { PREFIX_CACHE_PRODUCER } from "./compatibility.ts";
import { describeMapping, mappingOf } from "./mapping-table.ts";
import {
  freeName,
  isNameTaken,
  type MigrationDraft,
  pluginAt,
  pluginPaths,
  reportMapping,
  retype,
} from "./migration-draft.ts";
import { BYTES_PER_TOKEN } from "./prefix-cache.ts";
import type { YamlPath } from "./yaml-text.ts";

const HANDLER = "pd-profile-handler";
const TODAY = "disagg-profile-handler";
const ALWAYS = "always-disagg-pd-decider";
const BY_PREFIX = "prefix-based-pd-decider";

/** Writes the threshold of a `pd-profile-handler` as a decider, and the handler as today's. */
export function migratePdHandler(draft: MigrationDraft): void {
  const found = pluginPaths(draft).find((path) => pluginAt(draft, path).type === HANDLER);
  if (found === undefined) return;
  const { yaml } = draft;
  const key = (path: YamlPath, name: string): YamlPath => [...path, "parameters", name];
  // The port of a data-parallel rank has no place in today's handler, so that one stays.
  const isKept = Number(yaml.value(key(found, "primaryPort")) ?? 0) !== 0;
  const [path, decider] = placeDecider(draft, found);
  if (isKept) {
    if (decider !== undefined) setDecider(draft, path, "deciderPluginName", decider);
  } else {
    const named = yaml.value(key(path, "deciderPluginName"));
    const name = decider ?? (typeof named === "string" ? named : undefined);
    if (name !== undefined) setDecider(draft, path, "deciders", { prefill: name });
    moveProfiles(draft, path);
  }
  const dropped = isKept
    ? ["hashBlockSize", ...(decider === undefined ? [] : ["prefixMatchInfoProducerName"])]
    : [
        "hashBlockSize",
        "prefixPluginName",
        "prefixPluginType",
        "prefixMatchInfoProducerName",
        "primaryPort",
      ];
  for (const name of dropped) {
    if (yaml.value(key(path, name)) === undefined) continue;
    const mapping = mappingOf("parameter", `${HANDLER}.${name}`);
    if (mapping !== undefined) reportMapping(draft, mapping);
    yaml.remove(key(path, name));
  }
  if (isKept) return;
  retype(draft, path, TODAY);
  reportMapping(draft, mappingOf("type", HANDLER));
}

/** Inserts the decider that stands for the threshold; gives the handler's place after that. */
function placeDecider(
  draft: MigrationDraft,
  path: YamlPath,
): readonly [handler: YamlPath, decider: string | undefined] {
  const { yaml } = draft;
  const parameters = [...path, "parameters"];
  const written = yaml.value([...parameters, "threshold"]);
  const isDecided = yaml.keys(parameters).includes("deciderPluginName");
  if (written === undefined && isDecided) return [path, undefined];
  const threshold = Number(written ?? 0);
  reportThreshold(draft, threshold);
  if (threshold === 0 && isNameTaken(draft, ALWAYS)) return [path, ALWAYS];
  const type = threshold === 0 ? ALWAYS : BY_PREFIX;
  const name = freeName(draft, type);
  const producer = yaml.value([...parameters, "prefixMatchInfoProducerName"]);
  const wanted: Readonly<Record<string, Json>> = {
    nonCachedTokens: Math.max(1, Math.ceil(threshold / BYTES_PER_TOKEN)),
    ...(typeof producer === "string" ? { prefixMatchInfoProducerName: producer } : {}),
  };
  yaml.insertBefore(path, {
    type,
    ...(name === type ? {} : { name }),
    ...(threshold === 0 ? {} : { parameters: wanted }),
  });
  return [[...path.slice(0, -1), Number(path.at(-1)) + 1], name];
}

function reportThreshold({ config, changes }: MigrationDraft, threshold: number): void {
  const mapping = mappingOf("parameter", `${HANDLER}.threshold`);
  const table = mapping === undefined ? "" : `${describeMapping(mapping)}; `;
  if (threshold === 0) {
    changes.push({ message: `${table}every request is split, as before`, isMeaningChanged: false });
    return;
  }
  const tokens = Math.max(1, Math.ceil(threshold / BYTES_PER_TOKEN));
  changes.push({
    message:
      `${table}${threshold} bytes become ${tokens} tokens: ` +
      `a prompt within ${BYTES_PER_TOKEN} bytes of the threshold may go the other way`,
    isMeaningChanged: true,
  });
  if (config.plugins.some(({ definition }) => definition.type === PREFIX_CACHE_PRODUCER)) return;
  changes.push({
    message:
      "no plugin kept a prefix cache, so nothing counted as cached; " +
      `${BY_PREFIX} leaves out what the decode endpoint holds`,
    isMeaningChanged: true,
  });
}

/** Writes the decider in the place of what named it before. */
function setDecider(draft: MigrationDraft, path: YamlPath, as: string, value: Json): void {
  const { yaml } = draft;
  const parameters = [...path, "parameters"];
  const before = ["threshold", "deciderPluginName"].find((key) =>
    yaml.keys(parameters).includes(key),
  );
  if (before === undefined) yaml.set([...parameters, as], value);
  else if (before !== as) yaml.replacePair([...parameters, before], as, value);
  if (before === "deciderPluginName" && before !== as)
    reportMapping(draft, mappingOf("parameter", `${HANDLER}.${before}`));
}

function moveProfiles(draft: MigrationDraft, path: YamlPath): void {
  const { yaml } = draft;
  const parameters = [...path, "parameters"];
  const given = (["decode", "prefill"] as const).flatMap((stage) => {
    const key = `${stage}Profile`;
    const name = yaml.value([...parameters, key]);
    return name === undefined ? [] : [{ stage, key, name: name as Json }];
  });
  const [first, second] = given;
  if (first === undefined) return;
  for (const { key } of given) reportMapping(draft, mappingOf("parameter", `${HANDLER}.${key}`));
  const profiles = Object.fromEntries(given.map(({ stage, name }) => [stage, name]));
  yaml.replacePair([...parameters, first.key], "profiles", profiles);
  if (second !== undefined) yaml.remove([...parameters, second.key]);
}

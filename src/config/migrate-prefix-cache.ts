import type { Json } from "../core/json.ts";
import { PREFIX_CACHE_PRODUCER, PREFIX_CACHE_SCORER } from "./compatibility.ts";
import { mappingOf } from "./mapping-table.ts";
import {
  freeName,
  type MigrationDraft,
  pluginAt,
  pluginPaths,
  reportMapping,
} from "./migration-draft.ts";
import {
  BLOCK_TOKENS_MIN,
  BYTES_PER_TOKEN,
  PREFIX_CACHE_PARAMETERS,
  type PrefixCacheParameters,
} from "./prefix-cache.ts";
import { SCORER_PARAMETERS } from "./prefix-cache-scorer.ts";
import type { PluginEntry } from "./router-config.ts";
import type { YamlPath } from "./yaml-text.ts";

/** Writes the caches that the byte era left to scorers or to its defaults as producers of their own. */
export function migrateCaches(draft: MigrationDraft): void {
  const { config, era } = draft;
  const producers = config.plugins.filter(isProducer);
  if (era === "bytes") {
    for (const path of pluginPaths(draft)) {
      const entry = producers.find(({ name }) => name === pluginAt(draft, path).name);
      if (entry !== undefined) rewriteParameters(draft, path, cacheOf(entry));
    }
  }
  const written = new Map<PluginEntry, string>();
  for (const { name } of config.plugins.filter(isScorer)) {
    const keeper = keeperOf(draft, name);
    if (keeper !== undefined) writeProducer(draft, name, keeper, written);
  }
  const implied = producers.find(
    ({ name, position }) => name === PREFIX_CACHE_PRODUCER && !position,
  );
  const last = pluginPaths(draft).at(-1);
  if (era === "bytes" && implied !== undefined && last !== undefined) {
    draft.yaml.insertAfter(last, producerItem(PREFIX_CACHE_PRODUCER, cacheOf(implied)));
    reportCache(draft, PREFIX_CACHE_PRODUCER, cacheOf(implied));
  }
}

/** llm-d-router 0.9 raises smaller blocks to this at request time. */
const LLM_D_BLOCK_TOKENS_MIN = 64;

const isProducer = ({ definition }: PluginEntry): boolean =>
  definition.type === PREFIX_CACHE_PRODUCER;
const isScorer = ({ definition }: PluginEntry): boolean => definition.type === PREFIX_CACHE_SCORER;

/** The producer that loading made for a scorer; undefined when the file has one for it. */
function keeperOf({ config }: MigrationDraft, scorer: string): PluginEntry | undefined {
  const entry = config.plugins.find(({ name }) => name === scorer);
  const named = memberOf(entry?.parameters, "prefixMatchInfoProducerName");
  const keeper = config.plugins
    .filter(isProducer)
    .find(({ name }) => named === undefined || name === named);
  const isImplied = keeper?.position === undefined && keeper?.name !== PREFIX_CACHE_PRODUCER;
  return isImplied ? keeper : undefined;
}

function memberOf(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null
    ? (value as Readonly<Record<string, unknown>>)[key]
    : undefined;
}

/** What the loader decoded; it is the one who wrote these. */
function cacheOf({ parameters }: PluginEntry): PrefixCacheParameters {
  return parameters as PrefixCacheParameters;
}

function writeProducer(
  draft: MigrationDraft,
  scorer: string,
  keeper: PluginEntry,
  written: Map<PluginEntry, string>,
): void {
  const { yaml } = draft;
  const path = pluginPaths(draft).find((item) => pluginAt(draft, item).name === scorer);
  if (path === undefined) return;
  const parameters = [...path, "parameters"];
  const known = written.get(keeper);
  const isFirst = written.size === 0 || keeper === [...written.keys()][0];
  const producer = known ?? freeName(draft, isFirst ? PREFIX_CACHE_PRODUCER : keeper.name);
  written.set(keeper, producer);
  const given = yaml.keys(parameters);
  const own: Record<string, Json> = Object.fromEntries(
    given
      .filter((key) => SCORER_PARAMETERS.includes(key))
      .map((key) => [key, yaml.value([...parameters, key]) as Json]),
  );
  if (!isFirst) own["prefixMatchInfoProducerName"] = producer;
  const isGiven = given.some((key) => PREFIX_CACHE_PARAMETERS.includes(key));
  if (known !== undefined) {
    for (const key of given)
      if (PREFIX_CACHE_PARAMETERS.includes(key)) yaml.remove([...parameters, key]);
    if (!isFirst) yaml.set([...parameters, "prefixMatchInfoProducerName"], producer);
  } else if (isGiven) turnIntoProducer(draft, path, producer, own, cacheOf(keeper));
  else {
    if (!isFirst) yaml.set([...parameters, "prefixMatchInfoProducerName"], producer);
    yaml.insertBefore(path, producerItem(producer, cacheOf(keeper)));
    reportCache(draft, scorer, cacheOf(keeper));
  }
}

/** The item becomes the producer, so that its parameters stay beside their comments. */
function turnIntoProducer(
  draft: MigrationDraft,
  path: YamlPath,
  producer: string,
  own: Readonly<Record<string, Json>>,
  cache: PrefixCacheParameters,
): void {
  const { yaml } = draft;
  const { name, isNamed } = pluginAt(draft, path);
  yaml.insertAfter(path, {
    type: PREFIX_CACHE_SCORER,
    ...(isNamed ? { name } : {}),
    ...(Object.keys(own).length === 0 ? {} : { parameters: own }),
  });
  yaml.set([...path, "type"], PREFIX_CACHE_PRODUCER);
  if (producer !== PREFIX_CACHE_PRODUCER) yaml.set([...path, "name"], producer);
  else if (isNamed) yaml.remove([...path, "name"]);
  for (const key of yaml.keys([...path, "parameters"]))
    if (SCORER_PARAMETERS.includes(key)) yaml.remove([...path, "parameters", key]);
  rewriteParameters(draft, path, cache);
}

function producerItem(name: string, cache: PrefixCacheParameters): Json {
  return {
    type: PREFIX_CACHE_PRODUCER,
    ...(name === PREFIX_CACHE_PRODUCER ? {} : { name }),
    parameters: {
      autoTune: false,
      blockSizeTokens: tokensOf(cache),
      maxPrefixTokensToMatch: cache.maxPrefixBlocksToMatch * tokensOf(cache),
      lruCapacityPerServer: cache.lruCapacityPerServer,
    },
  };
}

function tokensOf({ blockBytes }: PrefixCacheParameters): number {
  return Math.max(BLOCK_TOKENS_MIN, Math.ceil(blockBytes / BYTES_PER_TOKEN));
}

/** Renames the parameters of the producer at `path` and adds what the token era decides otherwise. */
function rewriteParameters(
  draft: MigrationDraft,
  path: YamlPath,
  cache: PrefixCacheParameters,
): void {
  const { yaml } = draft;
  const parameters = [...path, "parameters"];
  const tokens = tokensOf(cache);
  const maxTokens = cache.maxPrefixBlocksToMatch * tokens;
  for (const key of yaml.keys(parameters)) {
    reportMapping(draft, mappingOf("parameter", `${PREFIX_CACHE_SCORER}.${key}`));
    const at = [...parameters, key];
    if (key === "hashBlockSize" || key === "blockSize")
      yaml.replacePair(at, "blockSizeTokens", tokens);
    if (key === "blockSizeTokens") yaml.set(at, tokens);
    if (key !== "maxPrefixBlocksToMatch") continue;
    if (yaml.keys(parameters).includes("maxPrefixTokensToMatch")) yaml.remove(at);
    else yaml.replacePair(at, "maxPrefixTokensToMatch", maxTokens);
  }
  yaml.set([...parameters, "maxPrefixTokensToMatch"], maxTokens);
  if (!yaml.keys(parameters).includes("autoTune")) yaml.set([...parameters, "autoTune"], false);
  reportCache(draft, pluginAt(draft, path).name, cache);
}

function reportCache(
  { changes }: MigrationDraft,
  name: string,
  cache: PrefixCacheParameters,
): void {
  const tokens = tokensOf(cache);
  const bytes = tokens * BYTES_PER_TOKEN;
  const isMeaningChanged = bytes !== cache.blockBytes;
  const was = isMeaningChanged ? ` in place of ${cache.blockBytes}` : "";
  const elsewhere = tokens < LLM_D_BLOCK_TOKENS_MIN ? "; llm-d takes 64 tokens for any less" : "";
  changes.push({
    message: `${name}: the cache is kept in blocks of ${tokens} tokens, ${bytes} bytes${was}${elsewhere}`,
    isMeaningChanged,
  });
}

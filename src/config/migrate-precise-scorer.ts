import type { Json } from "../core/json.ts";
import { PREFIX_CACHE_SCORER } from "./compatibility.ts";
import { mappingOf } from "./mapping-table.ts";
import {
  freeName,
  type MigrationDraft,
  pluginAt,
  pluginPaths,
  reportMapping,
  retype,
} from "./migration-draft.ts";
import type { YamlPath } from "./yaml-text.ts";

const PRECISE_SCORER = "precise-prefix-cache-scorer";
const PRECISE_PRODUCER = "precise-prefix-cache-producer";
const TOKEN_PRODUCER = "token-producer";

/** Splits a precise scorer in who keeps the account, who scores by it, and who counts tokens. */
export function migratePreciseScorer(draft: MigrationDraft): void {
  for (;;) {
    const path = pluginPaths(draft).find((item) => pluginAt(draft, item).type === PRECISE_SCORER);
    if (path === undefined) return;
    migrateTokenizer(draft, path);
    raiseTokenProcessor(draft, path);
    const producer = freeName(draft, PRECISE_PRODUCER);
    // What refers to the scorer follows it to its new name; then the item itself becomes the producer.
    retype(draft, path, PREFIX_CACHE_SCORER);
    const { name, isNamed } = pluginAt(draft, path);
    draft.yaml.insertAfter(path, {
      type: PREFIX_CACHE_SCORER,
      ...(isNamed ? { name } : {}),
      parameters: { prefixMatchInfoProducerName: producer },
    });
    draft.yaml.set([...path, "type"], PRECISE_PRODUCER);
    if (producer !== PRECISE_PRODUCER) draft.yaml.set([...path, "name"], producer);
    else if (isNamed) draft.yaml.remove([...path, "name"]);
    reportMapping(draft, mappingOf("type", PRECISE_SCORER));
  }
}

function raiseTokenProcessor(draft: MigrationDraft, path: YamlPath): void {
  const { yaml } = draft;
  const parameters = [...path, "parameters"];
  const nested = [...parameters, "indexerConfig", "tokenProcessorConfig"];
  const value = yaml.value(nested) as Json | undefined;
  if (value === undefined) return;
  const raised = [...parameters, "tokenProcessorConfig"];
  if (yaml.value(raised) === undefined) yaml.set(raised, value);
  yaml.remove(nested);
  const from = `${PRECISE_SCORER}.indexerConfig.tokenProcessorConfig`;
  reportMapping(draft, mappingOf("parameter", from));
}

/** The scorer's own tokenizer becomes that of the token producer, where the file has none. */
function migrateTokenizer(draft: MigrationDraft, path: YamlPath): void {
  const { yaml } = draft;
  const pool = [...path, "parameters", "indexerConfig", "tokenizersPoolConfig"];
  const modelName = yaml.value([...pool, "modelName"]);
  if (yaml.value(pool) === undefined) return;
  yaml.remove(pool);
  const isThere = pluginPaths(draft).some((item) => pluginAt(draft, item).type === TOKEN_PRODUCER);
  if (!isThere && typeof modelName === "string") {
    yaml.insertAfter(path, { type: TOKEN_PRODUCER, parameters: { modelName } });
  }
  reportMapping(
    draft,
    mappingOf("parameter", `${PRECISE_SCORER}.indexerConfig.tokenizersPoolConfig`),
  );
}

import { CONFIG_KIND } from "../config/compatibility.ts";
import type { LoadOptions } from "../config/load-options.ts";
import { migrateAt } from "../config/migrate-config.ts";
import type { Migration } from "../config/migration-draft.ts";
import type { RouterConfig } from "../config/router-config.ts";
import type { SourceNode } from "../config/source-node.ts";
import { YamlText } from "../config/yaml-text.ts";
import { invariant } from "../core/invariant.ts";
import { KIND, loadService, openService } from "./load-service.ts";
import { CONFIG_TEXT_FLAG } from "./read-picker.ts";

/**
 * Rewrites the `EndpointPickerConfig` inside an `LLMInferenceService` to today's form; the rest of the
 * file keeps its bytes. Throws ConfigError when the manifest does not load.
 */
export function migrateService(
  source: LoadOptions & { readonly text: string; readonly file: string },
): Migration {
  const { service, pickerRoot, pickerWords } = openService(source);
  const { config, picker } = service;
  const { text } = source;
  if (picker.origin === "default") return { text, changes: [] };
  const migration =
    picker.origin === "inline"
      ? migrateAt({ text, kind: KIND, root: pickerRoot?.path ?? [], config })
      : migrateArgument(
          text,
          config,
          pickerWords.map(({ node }) => node),
        );
  loadService({ ...source, text: migration.text });
  return migration;
}

/** The configuration is the text of an argument, or follows `=` in it. */
function migrateArgument(
  text: string,
  config: RouterConfig,
  words: readonly SourceNode[],
): Migration {
  const index = words.findIndex(({ value }) => CONFIG_TEXT_FLAG.test(String(value)));
  const [flag] = CONFIG_TEXT_FLAG.exec(String(words[index]?.value)) ?? [];
  const isJoined = flag?.endsWith("=") === true;
  const word = isJoined ? words[index] : words[index + 1];
  invariant(flag !== undefined && word !== undefined, "the configuration was in an argument");
  const prefix = isJoined ? flag : "";
  const inner = String(word.value).slice(prefix.length);
  const migration = migrateAt({ text: inner, kind: CONFIG_KIND, root: [], config });
  if (migration.changes.length === 0) return { text, changes: [] };
  const yaml = new YamlText(text, KIND);
  yaml.setText(word.path, prefix + migration.text);
  return { text: yaml.text, changes: migration.changes };
}

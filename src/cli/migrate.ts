import { writeFileSync } from "node:fs";
import process from "node:process";
import { Command } from "commander";
import { migrateConfig } from "../config/migrate-config.ts";
import type { Migration, MigrationChange } from "../config/migration-draft.ts";
import { migrateService } from "../manifest/migrate-service.ts";
import { loadInput } from "./load-input.ts";
import { addPluginFlags, loadOptionsOf, type PluginFlags } from "./plugin-flags.ts";
import { UsageError } from "./usage-error.ts";

interface MigrateOptions extends PluginFlags {
  readonly output?: string;
  readonly json?: true;
}

const EXAMPLE = `
Example:
  switchyard migrate examples/qwen-pd.yaml --output qwen-pd.new.yaml
  switchyard migrate epp-config.yaml | diff epp-config.yaml -`;

/** `migrate`: a configuration in today's form, with a report of what changed its meaning. */
export function migrateCommand(): Command {
  const command = new Command("migrate")
    .description("Rewrite an EndpointPickerConfig, bare or inside a service, to today's form.")
    .argument("<file>", "an LLMInferenceService or an EndpointPickerConfig")
    .option("--output <file>", "write the new file here; standard output unless given");
  return addPluginFlags(command)
    .option("--json", "print the new text and the report as JSON")
    .addHelpText("after", EXAMPLE)
    .action((file: string, options: MigrateOptions) => migrate(file, options));
}

async function migrate(path: string, options: MigrateOptions): Promise<void> {
  const { output, json } = options;
  const loading = await loadOptionsOf(options);
  const { service, text, file } = loadInput(path, loading);
  const source = { ...loading, text, file };
  const migration = service === undefined ? migrateConfig(source) : migrateService(source);
  if (output !== undefined) writeOutput(output, migration.text);
  if (json === true) console.log(JSON.stringify(migration, null, 2));
  else {
    if (output === undefined) process.stdout.write(migration.text);
    console.error(renderReport(migration));
  }
}

function renderReport({ changes }: Migration): string {
  if (changes.length === 0) return "nothing to change: the file is in today's form";
  const lines = (wanted: boolean): readonly string[] => [
    ...new Set(
      changes
        .filter(({ isMeaningChanged }: MigrationChange) => isMeaningChanged === wanted)
        .map(({ message }) => `  ${message}`),
    ),
  ];
  const [same, other] = [lines(false), lines(true)];
  return [
    ...(same.length === 0 ? [] : ["rewritten:", ...same]),
    ...(other.length === 0 ? [] : ["rewritten, and the meaning changes:", ...other]),
  ].join("\n");
}

function writeOutput(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new UsageError(`cannot write ${path}: ${error instanceof Error ? error.message : error}`);
  }
}

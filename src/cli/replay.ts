import process from "node:process";
import { Command } from "commander";
import type { LoadOptions } from "../config/load-options.ts";
import type { OtherConfig } from "../sim/replay/pool-replay.ts";
import { poolOfService, replay } from "../sim/replay/replay.ts";
import { EXIT } from "./exit.ts";
import { type LoadedInput, loadInput } from "./load-input.ts";
import { collect } from "./option-values.ts";
import { addPluginFlags, loadOptionsOf, type PluginFlags } from "./plugin-flags.ts";
import { renderReplay } from "./render-replay.ts";
import { traceLines } from "./trace-lines.ts";
import { UsageError } from "./usage-error.ts";

interface ReplayFlags extends PluginFlags {
  readonly config: readonly string[];
  readonly json?: true;
}

const EXAMPLE = `
Example:
  switchyard up examples/gpt-oss-20b.yaml --record run.jsonl
  switchyard replay run.jsonl
  switchyard replay run.jsonl --config gpt-oss-20b=other-picker.yaml

Ends with 1 when the recorded configuration does not make every recorded choice again.`;

/** `replay`: recorded inputs decided again, by the recorded configuration and by another. */
export function replayCommand(): Command {
  const command = new Command("replay")
    .description(
      "Decide a recording's requests again, and show what another configuration changes.",
    )
    .argument("<recording>", "file that --record of up or serve wrote")
    .option(
      "--config <[pool=]file>",
      "LLMInferenceService or EndpointPickerConfig to replay beside the recorded one; may be repeated",
      collect,
      [],
    )
    .option("--json", "print the report as JSON");
  return addPluginFlags(command)
    .addHelpText("after", EXAMPLE)
    .action((file: string, flags: ReplayFlags) => run(file, flags));
}

async function run(file: string, flags: ReplayFlags): Promise<void> {
  const loading = await loadOptionsOf(flags);
  const report = await replay(
    { file, lines: traceLines(file) },
    { registry: loading.registry, others: (pools) => othersOf(pools, flags.config, loading) },
  );
  console.log(flags.json === true ? JSON.stringify(report, null, 2) : renderReplay(report));
  process.exitCode = report.isReproduced ? EXIT.done : EXIT.failed;
}

function othersOf(
  pools: readonly string[],
  given: readonly string[],
  loading: LoadOptions,
): ReadonlyMap<string, OtherConfig> {
  const others = new Map<string, OtherConfig>();
  for (const text of given) {
    const at = text.indexOf("=");
    const input = loadInput(text.slice(at + 1), loading);
    const pool = poolFor(pools, at === -1 ? undefined : text.slice(0, at), input);
    if (others.has(pool)) throw new UsageError(`--config names pool ${pool} twice`);
    others.set(pool, { file: input.file, config: input.config });
  }
  return others;
}

function poolFor(pools: readonly string[], named: string | undefined, input: LoadedInput): string {
  const { service, file } = input;
  if (named !== undefined) {
    if (pools.includes(named)) return named;
    throw new UsageError(`the recording has no pool ${named}; it has ${pools.join(", ")}`);
  }
  if (service !== undefined) return poolOfService(pools, service, file);
  const [only] = pools;
  if (only !== undefined && pools.length === 1) return only;
  throw new UsageError(
    `${file} names no pool, and the recording has ${pools.join(", ")}: give --config POOL=${file}`,
  );
}

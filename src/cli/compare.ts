import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import process from "node:process";
import { Command } from "commander";
import type { ServiceSetting } from "../app/per-service.ts";
import { type CellBench, contextTokens } from "../compare/cell.ts";
import { type ComparisonReport, foldComparison, type SweepParts } from "../compare/comparison.ts";
import { comparisonPage } from "../compare/comparison-page.ts";
import { comparisonText } from "../compare/comparison-text.ts";
import { contestantsOf } from "../compare/contestants.ts";
import { measuredCells } from "../compare/measured.ts";
import { type Pair, totalGpus } from "../compare/side.ts";
import {
  capacityCells,
  SWEEPS,
  type SweepName,
  type SweepSubject,
  sweepCells,
  sweepShape,
} from "../compare/sweep-plan.ts";
import { readCapacities } from "../compare/sweep-result.ts";
import { type BenchRequest, openBench } from "./comparison-bench.ts";
import { ComparisonPool } from "./comparison-pool.ts";
import { EXIT } from "./exit.ts";
import { collect, oneOf, perService, positiveNumber, wholeNumber } from "./option-values.ts";
import { ProgressBar } from "./progress-bar.ts";
import { readInput } from "./read-input.ts";
import { UsageError } from "./usage-error.ts";
import { addWorkloadFlags, type WorkloadFlags, workloadHelp } from "./workload-flags.ts";

interface CompareFlags extends WorkloadFlags {
  readonly normalize?: true;
  readonly sweep: SweepName;
  readonly seeds: number;
  readonly sloTtftMs: number;
  readonly sloTpotMs: number;
  readonly price?: number;
  readonly gpu: readonly ServiceSetting<string>[];
  readonly modelFile?: string;
  readonly plugin: readonly string[];
  readonly html?: string;
  readonly json?: true;
}

/** Limits of the published comparison of the two ways with Qwen3-32B on H200 (Dynamo's recipe). */
const DEFAULT_SLO = { ttftMs: 2000, tpotMs: 25 };
/** More repetitions than this narrow nothing that a reader would see. */
const SEEDS_MAX = 100;

const EXAMPLE = `
Example:
  switchyard compare examples/gpt-oss-20b.yaml examples/qwen-pd.yaml --html comparison.html
  switchyard compare a.yaml b.yaml --normalize --workload heterogeneous --rate 10 --price 2.5
  switchyard compare a.yaml b.yaml --trace azure-2023-conv.csv --sweep none`;

/** `compare`: two services side by side, as files and under load. */
export function compareCommand(): Command {
  const command = new Command("compare")
    .description("Compare two LLMInferenceServices: what they are, how they fare, which to choose.")
    .argument("<a>", "LLMInferenceService file")
    .argument("<b>", "LLMInferenceService file");
  return addWorkloadFlags(command)
    .option("--normalize", "give both A's model and as many GPUs before measuring")
    .option(`--sweep <${SWEEPS.join("|")}>`, "how much is swept", oneOf(SWEEPS), "default" as const)
    .option("--seeds <n>", "repetitions with other seeds", wholeNumber(1, SEEDS_MAX), 3)
    .option("--slo-ttft-ms <ms>", "limit of the first token", positiveNumber, DEFAULT_SLO.ttftMs)
    .option("--slo-tpot-ms <ms>", "limit of each further one", positiveNumber, DEFAULT_SLO.tpotMs)
    .option(
      "--price <usd>",
      "of one GPU for an hour, for the cost of a million tokens",
      positiveNumber,
    )
    .option("--gpu <[service=]name>", "GPU of the engines (H100)", perService(String), [])
    .option("--model-file <file>", "shape of a model that is not built in, JSON")
    .option("--plugin <file>", "plugin of your own; may be repeated", collect, [])
    .option("--html <file>", "write a page with plots as well")
    .option("--json", "print the comparison as JSON")
    .addHelpText("after", `${workloadHelp()}\n${EXAMPLE}`)
    .action((a: string, b: string, flags: CompareFlags) => compare(a, b, flags));
}

async function compare(a: string, b: string, flags: CompareFlags): Promise<void> {
  const interrupt = new AbortController();
  const onInterrupt = (): void => interrupt.abort();
  process.once("SIGINT", onInterrupt);
  const report = await runComparison(requestOf(a, b, flags), flags, interrupt.signal);
  process.removeListener("SIGINT", onInterrupt);
  console.log(flags.json === true ? JSON.stringify(report, null, 2) : comparisonText(report));
  process.exitCode = report.isComplete ? EXIT.done : EXIT.interrupted;
  if (flags.html !== undefined) writePage(flags.html, report);
}

async function runComparison(
  request: BenchRequest,
  flags: CompareFlags,
  signal: AbortSignal,
): Promise<ComparisonReport> {
  const { written, equal, bench, warnings } = await openBench(request);
  for (const warning of warnings) console.error(`WARNING: ${warning}`);
  const seeds = Array.from({ length: flags.seeds }, (_, index) => flags.seed + index);
  const terms = flags.normalize === true ? "equal" : "written";
  await using pool = new ComparisonPool(request);
  const bar = new ProgressBar("simulating");
  const run = async (cells: Parameters<ComparisonPool["run"]>[0]): Promise<void> => {
    bar.expect(cells.length);
    await pool.run(cells, () => bar.advance(), signal);
  };
  await run(measuredCells(seeds, terms));
  const sweep =
    flags.sweep === "none"
      ? undefined
      : await runSweep(flags.sweep, { pair: equal.pair, bench, seeds, pool, run });
  bar.clear();
  return foldComparison({
    written,
    measuredPair: terms === "equal" ? equal.pair : written,
    normalised: terms === "equal" ? equal.changes : [],
    sweptOn: equal.changes,
    slo: request.slo,
    seeds,
    usdPerGpuHour: flags.price,
    sweep,
    results: pool.results,
    isComplete: !signal.aborted,
  });
}

async function runSweep(
  name: Exclude<SweepName, "none">,
  facts: {
    readonly pair: Pair;
    readonly bench: CellBench;
    readonly seeds: readonly number[];
    readonly pool: ComparisonPool;
    run(cells: Parameters<ComparisonPool["run"]>[0]): Promise<void>;
  },
): Promise<SweepParts> {
  const { pair, bench, seeds, pool, run } = facts;
  const shape = sweepShape(name, { contextTokens: contextTokens(bench.arms.equal), seeds });
  if (shape.promptTokens.length === 0) {
    throw new UsageError("the engines take no prompt that is swept; use --sweep none");
  }
  const subject = subjectOf(pair, bench);
  const probes = capacityCells(shape, subject);
  await run(probes);
  const capacities = readCapacities(probes, pool.results);
  const cells = sweepCells(shape, subject, capacities);
  await run(cells);
  return { shape, subject, capacities, cells };
}

function subjectOf(pair: Pair, { arms }: CellBench): SweepSubject {
  const contestants = contestantsOf(pair);
  const split = contestants && arms.equal[contestants.split];
  const variant = (name: "left" | "right") => ({
    name,
    title: pair[name].label,
    side: name,
    variation: {},
  });
  return {
    sides: [variant("left"), variant("right")],
    contestants,
    gpus: totalGpus(pair.left.service),
    link: split?.engines[0]?.link.kind ?? "none",
  };
}

function requestOf(a: string, b: string, flags: CompareFlags): BenchRequest {
  const manifest = (path: string) => ({
    file: shown(path),
    text: readInput(path).toString("utf8"),
  });
  const { modelFile: file, gpu: gpus, plugin: plugins } = flags;
  return {
    files: [manifest(a), manifest(b)],
    plugins,
    gpus,
    modelFile: file === undefined ? undefined : { file, text: readInput(file).toString("utf8") },
    workload: { ...defaultTraffic(flags), ...flags },
    slo: { ttftMs: flags.sloTtftMs, tpotMs: flags.sloTpotMs },
  };
}

/** Long prompts among short ones at a load that is felt, unless any traffic is asked for. */
function defaultTraffic(flags: CompareFlags): Pick<WorkloadFlags, "workload" | "rate"> {
  const { trace, workload, rate, concurrency } = flags;
  const isAsked = [trace, workload, rate, concurrency].some((asked) => asked !== undefined);
  return isAsked ? {} : { workload: "heterogeneous", rate: [{ perSecond: 10 }] };
}

/** Errors name the file as the user would: from where they are. */
function shown(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith("..") ? path : fromHere;
}

function writePage(path: string, report: ComparisonReport): void {
  try {
    writeFileSync(path, comparisonPage(report));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`cannot write ${path}: ${reason}`);
  }
}

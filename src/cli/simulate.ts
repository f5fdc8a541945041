import process from "node:process";
import { setImmediate as turn } from "node:timers/promises";
import { Command } from "commander";
import { poolKey } from "../app/endpoint-plan.ts";
import { type EnginePlan, planEngines } from "../app/engine-plan.ts";
import type { ServiceSetting } from "../app/per-service.ts";
import { readModelFile } from "../app/read-model-file.ts";
import { ConfigError } from "../core/config-error.ts";
import type { Service } from "../manifest/service.ts";
import { checkServices } from "../manifest/service-set.ts";
import { type Calibration, calibrate, parseMeasurements } from "../sim/calibrate.ts";
import { measureFidelity } from "../sim/fidelity/measure-fidelity.ts";
import { renderFidelity } from "../sim/fidelity/render-fidelity.ts";
import type { Slo } from "../sim/report.ts";
import { DEFAULT_SETTINGS, type Scenario, type SimulatedService } from "../sim/scenario.ts";
import { type Checkpoint, simulate } from "../sim/simulate.ts";
import { EXIT } from "./exit.ts";
import { loadManifest } from "./load-input.ts";
import { oneOf, perService, positiveNumber, wholeNumber } from "./option-values.ts";
import { addPluginFlags, loadOptionsOf, type PluginFlags } from "./plugin-flags.ts";
import { readInput } from "./read-input.ts";
import { renderReport } from "./render-report.ts";
import { traceLines } from "./trace-lines.ts";
import { UsageError } from "./usage-error.ts";
import {
  addWorkloadFlags,
  type WorkloadFlags,
  workloadHelp,
  workloadOf,
} from "./workload-flags.ts";

interface SimulateFlags extends WorkloadFlags, PluginFlags {
  readonly replicas: readonly ServiceSetting<number>[];
  readonly prefillReplicas: readonly ServiceSetting<number>[];
  readonly gpu: readonly ServiceSetting<string>[];
  readonly modelFile?: string;
  readonly sloTtftMs?: number;
  readonly sloTpotMs?: number;
  readonly overheadMs: number;
  readonly networkMs: number;
  readonly scrapeIntervalMs: number;
  readonly metricsCorrection: "on" | "off";
  readonly calibration?: string;
  readonly calibrate?: string;
  readonly fidelity?: true;
  readonly json?: true;
}

const EXAMPLE = `
Example:
  switchyard simulate examples/gpt-oss-20b.yaml --replicas 8 --workload shared-prefix --rate 5,10,20
  switchyard simulate examples/qwen-pd.yaml --trace azure-2023-conv.csv --slo-ttft-ms 500 --slo-tpot-ms 20

  switchyard simulate --calibrate measured.json >h100.json
  switchyard simulate service.yaml --calibration h100.json
  measured.json: { "model": "Qwen/Qwen3-32B", "gpu": "H100", "tensorParallel": 2, "prefill8192Ms": 514,
    "itlMs": { "alone": 14.4, "of32": 17.6, "contextTokens": 2000 }, "ttft128Ms": 70 }`;

const REPLICAS = wholeNumber(0, 1000);

/** `simulate`: a deployment under a load, in virtual time. */
export function simulateCommand(): Command {
  const command = new Command("simulate")
    .description("Simulate LLMInferenceService manifests under a workload, in virtual time.")
    .argument("[manifest...]", "LLMInferenceService files")
    .option("--replicas <[service=]n>", "engines of the main pool", perService(REPLICAS), [])
    .option(
      "--prefill-replicas <[service=]n>",
      "engines of the prefill pool",
      perService(REPLICAS),
      [],
    )
    .option("--gpu <[service=]name>", "GPU of the engines (H100)", perService(String), [])
    .option("--model-file <file>", "shape of a model that is not built in, JSON");
  return addWorkloadFlags(addPluginFlags(command))
    .option("--slo-ttft-ms <ms>", "limit that goodput is counted by", positiveNumber)
    .option("--slo-tpot-ms <ms>", "limit that goodput is counted by", positiveNumber)
    .option(
      "--overhead-ms <ms>",
      "client and gateway; measured: 7 vLLM alone, 25 long prompts, 55 llm-d gateway",
      milliseconds,
      DEFAULT_SETTINGS.overheadMs,
    )
    .option("--network-ms <ms>", "one way between hosts", milliseconds, DEFAULT_SETTINGS.networkMs)
    .option(
      "--scrape-interval-ms <ms>",
      "between two scrapes of an endpoint",
      positiveNumber,
      DEFAULT_SETTINGS.scrapeIntervalMs,
    )
    .option(
      "--metrics-correction <on|off>",
      "add what was sent since the last scrape to the engines' figures",
      oneOf(["on", "off"]),
      "on",
    )
    .option("--calibration <file>", "constants that --calibrate printed")
    .option("--calibrate <file>", "fit the engine's constants to three measurements, JSON")
    .option("--fidelity", "compare with published measurements, as Markdown")
    .option("--json", "print the report as JSON")
    .addHelpText("after", `${workloadHelp()}\n${EXAMPLE}`)
    .action((manifests: readonly string[], flags: SimulateFlags) => run(manifests, flags));
}

async function run(manifests: readonly string[], flags: SimulateFlags): Promise<void> {
  if (flags.fidelity === true) {
    const lines = flags.trace === undefined ? undefined : traceLines(flags.trace);
    process.stdout.write(renderFidelity(await measureFidelity(lines)));
  } else if (flags.calibrate !== undefined) {
    const measured = parseMeasurements(readJson(flags.calibrate), ownModel(flags));
    console.log(JSON.stringify(calibrate(measured), null, 2));
  } else if (manifests.length === 0) {
    throw new UsageError("name at least one manifest, --calibrate or --fidelity");
  } else {
    await simulateManifests(manifests, flags);
  }
}

async function simulateManifests(
  manifests: readonly string[],
  flags: SimulateFlags,
): Promise<void> {
  using watch = new Watch();
  const scenario = await scenarioOf(manifests, flags);
  const report = await simulate(scenario, watch.checkpoint);
  console.log(flags.json === true ? JSON.stringify(report, null, 2) : renderReport(report));
  process.exitCode = report.isComplete ? EXIT.done : EXIT.interrupted;
}

async function scenarioOf(manifests: readonly string[], flags: SimulateFlags): Promise<Scenario> {
  const loading = await loadOptionsOf(flags);
  const services = manifests.map((path) => loadManifest(path, loading).service);
  checkServices(services);
  const { replicas, prefillReplicas, gpu: gpus } = flags;
  const model = ownModel(flags);
  const { engines, warnings } = planEngines(services, { replicas, prefillReplicas, gpus, model });
  for (const warning of warnings) console.error(`WARNING: ${warning}`);
  const calibration =
    flags.calibration === undefined ? undefined : readCalibration(flags.calibration);
  const calibrated = engines.map((plan) => withCalibration(plan, calibration));
  if (calibration !== undefined && calibrated.every((plan, index) => plan === engines[index])) {
    const { model: name, gpu } = calibration;
    throw new UsageError(
      `--calibration was measured with ${name} on ${gpu}, and no engine is that`,
    );
  }
  return {
    services: services.map((service) => simulatedService(service, services, calibrated, flags)),
    settings: {
      ...DEFAULT_SETTINGS,
      seed: flags.seed,
      overheadMs: calibration?.overheadMs ?? flags.overheadMs,
      networkMs: flags.networkMs,
      scrapeIntervalMs: flags.scrapeIntervalMs,
      isCorrectingMetrics: flags.metricsCorrection === "on",
      slo: sloOf(flags),
    },
  };
}

function simulatedService(
  service: Service,
  services: readonly Service[],
  plans: readonly EnginePlan[],
  flags: SimulateFlags,
): SimulatedService {
  const name = poolKey(service, services);
  const engines = plans.filter((plan) => plan.pool === name);
  const main = engines.filter(({ role }) => role !== "prefill");
  const config = main[0]?.config;
  const facts = {
    kvTokens: config === undefined ? 0 : (config.blockCount - 1) * config.blockTokens,
    replicas: main.length,
    maxModelLen: config?.maxModelLen ?? 0,
  };
  const workload = workloadOf(flags, facts, name);
  return { name, modelName: service.modelName, config: service.config, engines, workload };
}

function withCalibration(plan: EnginePlan, calibration: Calibration | undefined): EnginePlan {
  const { model, gpu } = plan.config;
  // Constants hold for the hardware and model that they were measured on.
  if (calibration?.model !== model.name || calibration.gpu !== gpu.name) return plan;
  return { ...plan, config: { ...plan.config, calibration } };
}

function readCalibration(file: string): Calibration {
  const raw = readJson(file) as Partial<Calibration> | null;
  const numbers = [
    "tensorParallel",
    "gemmEfficiency",
    "weightReadEfficiency",
    "layerLaunchUs",
    "overheadMs",
  ] as const;
  const isWhole =
    typeof raw?.model === "string" &&
    typeof raw.gpu === "string" &&
    numbers.every((name) => typeof raw[name] === "number" && raw[name] >= 0);
  if (!isWhole) throw new UsageError(`${file} is not what --calibrate prints`);
  return raw as Calibration;
}

function ownModel(flags: SimulateFlags): ReturnType<typeof readModelFile> | undefined {
  const { modelFile: file } = flags;
  if (file === undefined) return undefined;
  return readModelFile({ text: readInput(file).toString("utf8"), file });
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readInput(file).toString("utf8"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ConfigError([{ path: "", message: `${file} is not JSON: ${error.message}` }]);
  }
}

function sloOf({ sloTtftMs, sloTpotMs }: SimulateFlags): Slo | undefined {
  if (sloTtftMs === undefined && sloTpotMs === undefined) return undefined;
  if (sloTtftMs === undefined || sloTpotMs === undefined) {
    throw new UsageError("goodput needs both --slo-ttft-ms and --slo-tpot-ms");
  }
  return { ttftMs: sloTtftMs, tpotMs: sloTpotMs };
}

function milliseconds(text: string): number {
  return text === "0" ? 0 : positiveNumber(text);
}

/** Milliseconds between two lines of progress. */
const PROGRESS_MS = 200;

/** Shows progress on a terminal and hears Ctrl-C; a second one ends the program at once. */
class Watch {
  readonly #onInterrupt = (): void => {
    this.#isStopped = true;
  };
  #isStopped = false;
  #shownMs = performance.now();

  constructor() {
    process.once("SIGINT", this.#onInterrupt);
  }

  readonly checkpoint: Checkpoint = async ({ service, requests, simulatedSeconds }) => {
    // Signals are only heard between turns.
    await turn();
    const nowMs = performance.now();
    if (process.stderr.isTTY && nowMs - this.#shownMs > PROGRESS_MS) {
      this.#shownMs = nowMs;
      const time = simulatedSeconds.toFixed(0);
      process.stderr.write(`\r\u001b[K${service}: ${requests} requests, ${time} s simulated`);
    }
    return this.#isStopped ? "stop" : "continue";
  };

  [Symbol.dispose](): void {
    process.removeListener("SIGINT", this.#onInterrupt);
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  }
}

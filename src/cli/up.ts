import process from "node:process";
import { Command } from "commander";
import type { EnginePlan } from "../app/engine-plan.ts";
import type { ServiceSetting } from "../app/per-service.ts";
import { createStderrLog } from "../app/program-log.ts";
import { readModelFile } from "../app/read-model-file.ts";
import { formatTable } from "../app/table.ts";
import { type RunningUp, startUp } from "../app/up.ts";
import type { Service } from "../manifest/service.ts";
import { EXIT } from "./exit.ts";
import { explainListenError } from "./listen-error.ts";
import { loadManifest } from "./load-input.ts";
import { oneOf, perService, positiveNumber, wholeNumber } from "./option-values.ts";
import { loadOptionsOf } from "./plugin-flags.ts";
import { readInput } from "./read-input.ts";
import { addRouterFlags, type RouterFlags, routerOptionsOf } from "./router-flags.ts";
import { untilStopped } from "./until-stopped.ts";

interface UpFlags extends RouterFlags {
  readonly replicas: readonly ServiceSetting<number>[];
  readonly prefillReplicas: readonly ServiceSetting<number>[];
  readonly gpu: readonly ServiceSetting<string>[];
  readonly modelFile?: string;
  readonly timeScale: number;
  readonly prefillFallback: "decode" | "error";
  readonly json?: true;
}

const EXAMPLE = `
Example:
  switchyard up examples/gpt-oss-20b.yaml examples/qwen-pd.yaml --replicas gpt-oss-20b=8`;

const REPLICAS = wholeNumber(0, 1000);

/** `up`: a whole deployment on one machine, with simulated engines. */
export function upCommand(): Command {
  const command = new Command("up")
    .description(
      "Run router, scheduler, simulated engines and sidecars for LLMInferenceService manifests.",
    )
    .argument("<manifest...>", "LLMInferenceService files")
    .option("--replicas <[service=]n>", "engines of the main pool", perService(REPLICAS), [])
    .option(
      "--prefill-replicas <[service=]n>",
      "engines of the prefill pool",
      perService(REPLICAS),
      [],
    )
    .option("--gpu <[service=]name>", "GPU of the simulated engines (H100)", perService(String), [])
    .option("--model-file <file>", "shape of a model that is not built in, JSON")
    .option("--time-scale <x>", "engine seconds in a second of wall time", positiveNumber, 1)
    .option(
      "--prefill-fallback <what>",
      "when no prefill endpoint answers: decode computes the prompt, or error",
      oneOf(["decode", "error"]),
      "decode",
    )
    .option("--json", "print what was started as JSON");
  return addRouterFlags(command)
    .addHelpText("after", EXAMPLE)
    .action((manifests: readonly string[], flags: UpFlags) => up(manifests, flags));
}

async function up(manifests: readonly string[], flags: UpFlags): Promise<void> {
  const loading = await loadOptionsOf(flags);
  const files = manifests.map((path) => loadManifest(path, loading));
  const services = files.map(({ service }) => service);
  const stopped = untilStopped();
  const gaveUp = Promise.withResolvers<number>();
  const log = createStderrLog("warn");
  const running = await startUp({
    ...flags,
    services,
    files,
    loading,
    gpus: flags.gpu,
    model:
      flags.modelFile === undefined
        ? undefined
        : readModelFile({
            text: readInput(flags.modelFile).toString("utf8"),
            file: flags.modelFile,
          }),
    isCorrectingMetrics: flags.metricsCorrection === "on",
    options: routerOptionsOf(flags),
    log,
    gaveUp: () => gaveUp.resolve(EXIT.failed),
  }).catch(explainListenError(flags));
  console.log(
    flags.json === true ? describeJson(running, flags) : describe(running, services, flags),
  );
  process.exitCode = await Promise.race([stopped, gaveUp.promise]);
  await running.stop();
}

function describe(running: RunningUp, services: readonly Service[], flags: UpFlags): string {
  const { router, plans, warnings } = running;
  const base = `http://${flags.host}:${router.port}`;
  const rows = plans.map((plan) => {
    const address = running.addressOf(plan.name);
    return [plan.name, plan.role, address?.address ?? "", engineText(plan)];
  });
  const calls = services.map(({ modelName }) => {
    const body = JSON.stringify({
      model: modelName,
      messages: [{ role: "user", content: "Say hello" }],
      max_tokens: 32,
    });
    return `  curl -s ${base}/v1/chat/completions -H 'content-type: application/json' -d '${body}'`;
  });
  return [
    ...services.flatMap(notesOf).map((note) => `note: ${note}`),
    ...warnings.map((warning) => `WARNING: ${warning}`),
    "",
    formatTable(["endpoint", "role", "address", "engine"], rows),
    "",
    "Try:",
    ...calls,
    "",
    `Why a request went where it went: http://${flags.adminHost}:${router.adminPort}/api/decisions`,
    "Ctrl-C ends everything.",
  ].join("\n");
}

function notesOf(service: Service): readonly string[] {
  const messages = [...service.notes, ...service.config.notes].map(({ message }) => message);
  return [...new Set(messages)].map((message) => `${service.name}: ${message}`);
}

function engineText({ config, modelName, link, role }: EnginePlan): string {
  const gpus = `${config.tensorParallel > 1 ? `${config.tensorParallel}x` : ""}${config.gpu.name}`;
  const blocks = `${config.blockCount} blocks of ${config.blockTokens}`;
  const transport = role === "both" ? "" : `, KV over ${link.kind}`;
  return `${modelName} on ${gpus}, ${blocks}${transport}`;
}

function describeJson(running: RunningUp, flags: UpFlags): string {
  return JSON.stringify({
    url: `http://${flags.host}:${running.router.port}`,
    adminUrl: `http://${flags.adminHost}:${running.router.adminPort}`,
    warnings: running.warnings,
    endpoints: running.plans.map(({ name, pool, role, modelName }) => ({
      name,
      pool,
      role,
      model: modelName,
      address: running.addressOf(name)?.address,
      engineAddress: running.addressOf(name)?.engineAddress,
    })),
  });
}

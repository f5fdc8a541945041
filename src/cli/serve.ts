import process from "node:process";
import { Command } from "commander";
import { createStderrLog } from "../app/program-log.ts";
import { startServe } from "../app/serve.ts";
import { formatTable } from "../app/table.ts";
import { explainListenError } from "./listen-error.ts";
import { loadInput } from "./load-input.ts";
import { wholeNumber } from "./option-values.ts";
import { addPdFlags, type PdFlags, pdSettings } from "./pd-flags.ts";
import { loadOptionsOf } from "./plugin-flags.ts";
import { readInput } from "./read-input.ts";
import { addRouterFlags, type RouterFlags, routerOptionsOf } from "./router-flags.ts";
import { untilStopped } from "./until-stopped.ts";

interface ServeFlags extends RouterFlags, PdFlags {
  readonly config: string;
  readonly endpoints: string;
  readonly model?: string;
  readonly kvEventsPort?: number;
  readonly kvEventsReplayPort?: number;
  readonly kvEventsTopic?: string;
}

const EXAMPLE = `
Example:
  switchyard serve --config picker.yaml --endpoints endpoints.yaml --port 8080
  switchyard serve --config pd.yaml --endpoints endpoints.yaml --pd router

  endpoints.yaml:
    endpoints:
    - { name: gpu-0, address: 10.0.0.1, port: "8000", labels: { llm-d.ai/role: decode } }`;

/** `serve`: the router in front of engines that run already. */
export function serveCommand(): Command {
  const command = new Command("serve")
    .description("Run the router in front of real engines.")
    .requiredOption("--config <file>", "EndpointPickerConfig or LLMInferenceService")
    .requiredOption("--endpoints <file>", "endpoints, in llm-d's file-discovery format")
    .option("--model <name>", "model that the engines serve; they are asked unless given")
    .option("--kv-events-port <n>", "port of the engines' KV events (ZMQ)", wholeNumber(1, 65535))
    .option(
      "--kv-events-replay-port <n>",
      "port at which missed KV events are asked for",
      wholeNumber(1, 65535),
    )
    .option("--kv-events-topic <prefix>", "topics of the KV events; all unless given");
  return addRouterFlags(addPdFlags(command))
    .addHelpText("after", EXAMPLE)
    .action((flags: ServeFlags) => serve(flags));
}

async function serve(flags: ServeFlags): Promise<void> {
  const input = loadInput(flags.config, await loadOptionsOf(flags));
  const { service, config } = input;
  const stopped = untilStopped();
  const { router, endpoints } = await startServe({
    ...flags,
    ...pdSettings(flags),
    pool: { namespace: service?.namespace ?? "default", name: service?.name ?? "pool" },
    config,
    source: input,
    kvEvents: {
      port: flags.kvEventsPort,
      replayPort: flags.kvEventsReplayPort,
      topicFilter: flags.kvEventsTopic,
    },
    modelName: flags.model ?? service?.modelName,
    endpointsFile: { text: readInput(flags.endpoints).toString("utf8"), file: flags.endpoints },
    isCorrectingMetrics: flags.metricsCorrection === "on",
    options: routerOptionsOf(flags),
    log: createStderrLog("info"),
  }).catch(explainListenError(flags));
  const rows = endpoints.map(({ id, address, labels }) => [
    id,
    address,
    Object.entries(labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(" "),
  ]);
  console.log(formatTable(["endpoint", "address", "labels"], rows));
  console.log(
    `\nRouter on http://${flags.host}:${router.port}/v1, admin on port ${router.adminPort}`,
  );
  process.exitCode = await stopped;
  await router.drain();
}

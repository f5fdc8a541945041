import process from "node:process";
import { Command } from "commander";
import type { EndpointFeed } from "../app/endpoint-feed.ts";
import { clusterParts, poolSource } from "../app/epp-source.ts";
import { type EndpointsFile, FileFeed, openEndpointsFile } from "../app/file-feed.ts";
import { createStderrLog } from "../app/program-log.ts";
import { startServe } from "../app/serve.ts";
import { formatTable } from "../app/table.ts";
import { EXIT } from "./exit.ts";
import { explainListenError } from "./listen-error.ts";
import { loadInput } from "./load-input.ts";
import { wholeNumber } from "./option-values.ts";
import { addPdFlags, type PdFlags, pdSettings } from "./pd-flags.ts";
import { loadOptionsOf } from "./plugin-flags.ts";
import { readInput } from "./read-input.ts";
import { addRouterFlags, type RouterFlags, routerOptionsOf } from "./router-flags.ts";
import { untilStopped } from "./until-stopped.ts";
import { UsageError } from "./usage-error.ts";

interface ServeFlags extends RouterFlags, PdFlags {
  readonly config: string;
  readonly endpoints?: string;
  readonly inferencePool?: string;
  readonly model?: string;
  readonly kvEventsPort?: number;
  readonly kvEventsReplayPort?: number;
  readonly kvEventsTopic?: string;
  readonly threads: number;
}

/** More than the cores of a large machine; each thread costs some 55 MB. */
const THREADS_MAX = 64;

const EXAMPLE = `
Example:
  switchyard serve --config picker.yaml --endpoints endpoints.yaml --port 8080
  switchyard serve --config pd.yaml --endpoints endpoints.yaml --pd router
  switchyard serve --config picker.yaml --inference-pool default/llama --port 8080
  switchyard serve --config picker.yaml --endpoints endpoints.yaml --threads 4

  endpoints.yaml:
    endpoints:
    - { name: gpu-0, address: 10.0.0.1, port: "8000", labels: { llm-d.ai/role: decode } }`;

/** `serve`: the router in front of engines that run already. */
export function serveCommand(): Command {
  const command = new Command("serve")
    .description("Run the router in front of real engines.")
    .requiredOption("--config <file>", "EndpointPickerConfig or LLMInferenceService")
    .option("--endpoints <file>", "endpoints, in llm-d's file-discovery format; it is followed")
    .option("--inference-pool <namespace/name>", "InferencePool in Kubernetes, which is followed")
    .option("--model <name>", "model that the engines serve; they are asked unless given")
    .option("--kv-events-port <n>", "port of the engines' KV events (ZMQ)", wholeNumber(1, 65535))
    .option(
      "--kv-events-replay-port <n>",
      "port at which missed KV events are asked for",
      wholeNumber(1, 65535),
    )
    .option("--kv-events-topic <prefix>", "topics of the KV events; all unless given")
    .option(
      "--threads <n>",
      "threads that route on one port, with one view of the endpoints",
      wholeNumber(1, THREADS_MAX),
      1,
    );
  return addRouterFlags(addPdFlags(command))
    .addHelpText("after", EXAMPLE)
    .action((flags: ServeFlags) => serve(flags));
}

async function serve(flags: ServeFlags): Promise<void> {
  if (flags.threads > 1 && flags.record !== undefined) {
    throw new UsageError("--record needs --threads 1: a recording has one order of inputs");
  }
  const pd = pdSettings(flags);
  const input = loadInput(flags.config, await loadOptionsOf(flags));
  const { service, config } = input;
  const { feed, endpoints } = await openFeed(flags);
  const stopped = untilStopped();
  const gaveUp = Promise.withResolvers<number>();
  const router = await startServe({
    ...flags,
    ...pd,
    pool: { namespace: service?.namespace ?? "default", name: service?.name ?? "pool" },
    config,
    source: input,
    kvEvents: {
      port: flags.kvEventsPort,
      replayPort: flags.kvEventsReplayPort,
      topicFilter: flags.kvEventsTopic,
    },
    modelName: flags.model ?? service?.modelName,
    feed,
    isCorrectingMetrics: flags.metricsCorrection === "on",
    options: routerOptionsOf(flags),
    log: createStderrLog("info"),
    threads:
      flags.threads === 1
        ? undefined
        : {
            count: flags.threads,
            plugins: { files: flags.plugin, allowAlpha: flags.allowExperimentalPlugins === true },
            legs: pd.legsOptions,
            gaveUp: () => gaveUp.resolve(EXIT.failed),
          },
  }).catch(explainListenError(flags));
  if (endpoints.length > 0) console.log(`${endpointTable(endpoints)}\n`);
  console.log(
    `Router on http://${flags.host}:${router.port}/v1, admin on port ${router.adminPort}`,
  );
  process.exitCode = await Promise.race([stopped, gaveUp.promise]);
  await router.drain();
}

interface OpenedFeed {
  readonly feed: EndpointFeed;
  /** Those that are known at the start. */
  readonly endpoints: EndpointsFile["endpoints"];
}

async function openFeed({ endpoints: file, inferencePool }: ServeFlags): Promise<OpenedFeed> {
  if ((file === undefined) === (inferencePool === undefined)) {
    throw new UsageError("give one of --endpoints FILE and --inference-pool NAMESPACE/NAME");
  }
  if (file === undefined) {
    const { feed } = await clusterParts(poolSource(inferencePool ?? ""));
    return { feed, endpoints: [] };
  }
  const opened = openEndpointsFile({ text: readInput(file).toString("utf8"), file });
  return { feed: new FileFeed(opened, { isResolving: false }), endpoints: opened.endpoints };
}

function endpointTable(endpoints: EndpointsFile["endpoints"]): string {
  const rows = endpoints.map(({ id, address, labels }) => [
    id,
    address,
    Object.entries(labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(" "),
  ]);
  return formatTable(["endpoint", "address", "labels"], rows);
}

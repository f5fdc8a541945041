import process from "node:process";
import { Command } from "commander";
import { readKvEventsConfig } from "../app/kv-events-config.ts";
import { createStderrLog } from "../app/program-log.ts";
import { readModelFile } from "../app/read-model-file.ts";
import { startStandaloneEngine } from "../app/standalone-engine.ts";
import { oneOf, positiveNumber, wholeNumber } from "./option-values.ts";
import { readInput } from "./read-input.ts";
import { untilStopped } from "./until-stopped.ts";

interface EngineOptions {
  readonly model: string;
  readonly gpu: string;
  readonly host: string;
  readonly port: number;
  readonly timeScale: number;
  readonly seed: number;
  readonly kvLink: "rdma" | "tcp";
  readonly kvConnector: boolean;
  readonly modelFile?: string;
  readonly tensorParallelSize?: number;
  readonly blockSize?: number;
  readonly maxModelLen?: number;
  readonly gpuMemoryUtilization?: number;
  readonly maxNumSeqs?: number;
  readonly maxNumBatchedTokens?: number;
  readonly kvEventsConfig?: string;
  readonly kvEventsEncoding: "array" | "map";
}

const EXAMPLE = `
Example:
  switchyard engine --model Qwen/Qwen3-0.6B --gpu H100 --port 8000
  curl -s 127.0.0.1:8000/v1/completions -H 'content-type: application/json' \\
    -d '{"model":"Qwen/Qwen3-0.6B","prompt":"Hello","max_tokens":16}'`;

const COUNT = wholeNumber(1, 10_000_000);

/** `engine`: one simulated vLLM. */
export function engineCommand(): Command {
  return new Command("engine")
    .description(
      "Run one simulated vLLM: OpenAI API, metrics and KV transfer, in scaled real time.",
    )
    .requiredOption("--model <name>", "served model, such as openai/gpt-oss-20b")
    .option("--gpu <name>", "GPU whose speed and memory it has", "H100")
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--port <n>", "port, 0 for any free one", wholeNumber(0, 65535), 8000)
    .option("--time-scale <x>", "engine seconds in a second of wall time", positiveNumber, 1)
    .option("--seed <n>", "seed of output lengths and texts", wholeNumber(0, 2 ** 32 - 1), 1)
    .option("--kv-connector", "take part in prefill/decode transfers (NixlConnector)", false)
    .option(
      "--kv-link <kind>",
      "link of the transfers: rdma or tcp",
      oneOf(["rdma", "tcp"]),
      "rdma",
    )
    .option("--model-file <file>", "shape of a model that is not built in, JSON")
    .option("--tensor-parallel-size <n>", "GPUs it spreads over", COUNT)
    .option("--block-size <tokens>", "tokens in a KV-cache block", COUNT)
    .option("--max-model-len <tokens>", "longest sequence", COUNT)
    .option("--gpu-memory-utilization <share>", "share of GPU memory, 0 to 1", positiveNumber)
    .option("--max-num-seqs <n>", "sequences in a batch", COUNT)
    .option("--max-num-batched-tokens <n>", "tokens in a step", COUNT)
    .option("--kv-events-config <json>", "vLLM's KVEventsConfig: publish KV events over ZMQ")
    .option(
      "--kv-events-encoding <shape>",
      "events as vLLM wrote them until early 2026 (array) or since then (map)",
      oneOf(["array", "map"]),
      "map",
    )
    .addHelpText("after", EXAMPLE)
    .action((options: EngineOptions) => runEngine(options));
}

async function runEngine(options: EngineOptions): Promise<void> {
  const { modelFile, kvEventsConfig, kvEventsEncoding: encoding } = options;
  // vLLM's variable with its default.
  const isHashInt = process.env["VLLM_KV_EVENTS_USE_INT_BLOCK_HASHES"] !== "0";
  const kvEventSocket =
    kvEventsConfig === undefined
      ? undefined
      : readKvEventsConfig(kvEventsConfig, { encoding, isHashInt });
  const stopped = untilStopped();
  const server = await startStandaloneEngine({
    ...options,
    ownModel:
      modelFile === undefined
        ? undefined
        : readModelFile({ text: readInput(modelFile).toString("utf8"), file: modelFile }),
    link: options.kvLink,
    isKvConnectorEnabled: options.kvConnector,
    tensorParallel: options.tensorParallelSize,
    blockTokens: options.blockSize,
    kvEventSocket,
    log: createStderrLog("warn"),
  });
  console.log(`${options.model} on http://${server.address} (Ctrl-C ends it)`);
  process.exitCode = await stopped;
  await server.close();
}

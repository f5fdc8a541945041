import process from "node:process";
import { Command } from "commander";
import { createStderrLog } from "../app/program-log.ts";
import { FlagReader, type GivenFlags, readFlags } from "../app/read-flags.ts";
import { startSidecarProgram } from "../app/sidecar.ts";
import { SIDECAR_FLAGS, SIDECAR_VARIABLES } from "../app/sidecar-flag-table.ts";
import { readInput } from "./read-input.ts";
import { readSidecarConfiguration } from "./sidecar-configuration.ts";
import { untilStopped } from "./until-stopped.ts";
import { UsageError } from "./usage-error.ts";

const EXAMPLE = `
Flags are those of llm-d's sidecar, of all its releases. The command line wins over --configuration and
--configuration-file, they over the environment.

Example:
  switchyard sidecar --port 8000 --model-server-port 8200 --inference-pool default/llama
  switchyard sidecar --port 8000 --model-server-port 8200 --kv-connector nixlv2 \\
    --allow-prefill 10.0.0.0/8:8000 --secure-serving=false --metrics-port 9095`;

/** `sidecar`: the proxy on a decode host that runs both legs of split requests. */
export function sidecarCommand(): Command {
  const width = Math.max(...SIDECAR_FLAGS.map(({ name }) => name.length));
  const flags = SIDECAR_FLAGS.map(({ name, help }) => `  --${name.padEnd(width)}  ${help}`);
  // The flags are Go's, which this parser's own rules would misread.
  return new Command("sidecar")
    .description("Run the proxy on a decode host: prefill elsewhere, decode here.")
    .argument("[flags...]", "flags of the sidecar")
    .allowUnknownOption()
    .addHelpText("after", `\nFlags:\n${flags.join("\n")}\n${EXAMPLE}`)
    .action((words: readonly string[]) => runSidecar(words));
}

async function runSidecar(words: readonly string[]): Promise<void> {
  const own = readFlags(words, { command: "sidecar", specs: SIDECAR_FLAGS });
  const sources = [readVariables(), readConfiguration(own), own];
  const given = new Map(sources.flatMap((source) => [...source.given]));
  const log = createStderrLog("info");
  for (const message of sources.flatMap(({ notes }) => notes)) {
    log.info("flag-without-effect", { message });
  }
  const endpoints = given.get("endpoints");
  const stop = new AbortController();
  const code = untilStopped().finally(() => stop.abort());
  const sidecar = await startSidecarProgram({
    given,
    endpointsFile:
      endpoints === undefined
        ? undefined
        : { text: readInput(endpoints).toString("utf8"), file: endpoints },
    stop: stop.signal,
    log,
  }).catch(explainTakenPort);
  if (sidecar === undefined) {
    process.exitCode = await code;
    return;
  }
  const security = sidecar.certificate === undefined ? "plaintext" : `TLS, ${sidecar.certificate}`;
  const ports = sidecar.ports.map((port) => `port ${port}`).join(", ");
  const metrics =
    sidecar.metricsPort === undefined ? "" : `, metrics on port ${sidecar.metricsPort}`;
  console.log(`sidecar on ${ports} (${security})${metrics}`);
  process.exitCode = await code;
  await sidecar.drain();
}

function readVariables(): GivenFlags {
  const reader = new FlagReader(SIDECAR_FLAGS);
  for (const { name, flag } of SIDECAR_VARIABLES) {
    const value = process.env[name];
    const spec = reader.find(flag);
    if (value !== undefined && value !== "" && spec !== undefined) {
      reader.take(spec, value, { path: `$${name}` });
    }
  }
  return reader.finish();
}

function readConfiguration({ given }: GivenFlags): GivenFlags {
  const file = given.get("configuration-file");
  const text = given.get("configuration");
  if (file !== undefined && text !== undefined) {
    throw new UsageError("--configuration and --configuration-file exclude each other");
  }
  const source =
    file === undefined
      ? { text: text ?? "", file: "--configuration" }
      : { text: readInput(file).toString("utf8"), file };
  return readSidecarConfiguration(source, SIDECAR_FLAGS);
}

function explainTakenPort(error: unknown): never {
  const isTaken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
  if (!isTaken || !("port" in error)) throw error;
  throw new UsageError(
    `port ${String(error.port)} is taken; choose another with --port or --metrics-port`,
  );
}

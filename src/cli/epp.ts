import process from "node:process";
import { Command } from "commander";
import { startEpp } from "../app/epp.ts";
import { EPP_FLAGS } from "../app/epp-flag-table.ts";
import { type EppFlags, parseEppFlags } from "../app/epp-flags.ts";
import { clusterParts, type EppParts, eppSource } from "../app/epp-source.ts";
import { FileFeed, openEndpointsFile } from "../app/file-feed.ts";
import { isOn } from "../app/flag-values.ts";
import { loadRegistry } from "../app/plugin-registry.ts";
import { createStderrLog } from "../app/program-log.ts";
import { DEFAULT_CONFIG_TEXT } from "../config/default-config.ts";
import { loadRouterConfig } from "../config/load-router-config.ts";
import type { RouterConfig } from "../config/router-config.ts";
import { readInput } from "./read-input.ts";
import { untilStopped } from "./until-stopped.ts";
import { UsageError } from "./usage-error.ts";

const EXAMPLE = `
Flags are those of llm-d's endpoint picker, of all its releases; the router's limits (\`switchyard serve
--help\`) are flags as well.

Example:
  switchyard epp --pool-name llama --pool-namespace default --config-file picker.yaml
  switchyard epp --endpoints endpoints.yaml --config-file picker.yaml --secure-serving=false`;

/** `epp`: the endpoint picker that a gateway asks by ext_proc. */
export function eppCommand(): Command {
  const width = Math.max(...EPP_FLAGS.map(({ name }) => name.length));
  const flags = EPP_FLAGS.map(({ name, help }) => `  --${name.padEnd(width)}  ${help}`);
  // The picker's flags are Go's, which this parser's own rules would misread.
  return new Command("epp")
    .description("Run the endpoint picker: Envoy's external processor, in the place of llm-d's.")
    .argument("[flags...]", "flags of the endpoint picker")
    .allowUnknownOption()
    .addHelpText("after", `\nFlags:\n${flags.join("\n")}\n${EXAMPLE}`)
    .action((words: readonly string[]) => runEpp(words));
}

async function runEpp(words: readonly string[]): Promise<void> {
  const flags = parseEppFlags(words);
  const namespace = process.env["NAMESPACE"] || "default";
  const chosen = eppSource(flags, namespace);
  const log = createStderrLog("info");
  for (const message of flags.notes) log.info("flag-without-effect", { message });
  const stopped = untilStopped();
  const { config, source } = await loadConfig(flags);
  const epp = await startEpp({
    flags,
    namespace,
    config,
    source,
    ...(chosen.kind === "file" ? fileParts(chosen.file) : await clusterParts(chosen)),
    log,
  }).catch(explainTakenPort);
  const security = epp.certificate === undefined ? "plaintext" : `TLS, ${epp.certificate}`;
  console.log(
    `ext_proc on port ${epp.port} (${security}), health on port ${epp.healthPort}, ` +
      `metrics and admin API on port ${epp.metricsPort}`,
  );
  process.exitCode = await stopped;
  await epp.drain();
}

function fileParts(file: string): EppParts {
  const source = openEndpointsFile({ text: readInput(file).toString("utf8"), file });
  return { feed: new FileFeed(source, { isResolving: true }), election: undefined };
}

interface LoadedConfig {
  readonly config: RouterConfig;
  readonly source: Parameters<typeof startEpp>[0]["source"];
}

async function loadConfig({ given, plugins }: EppFlags): Promise<LoadedConfig> {
  const registry = await loadRegistry(plugins);
  const allowAlpha = isOn(given.get("allow-experimental-plugins"), false);
  const file = given.get("config-file");
  const text = given.get("config-text");
  if (file !== undefined && text !== undefined) {
    throw new UsageError("--config-file and --config-text exclude each other");
  }
  if (file === undefined) {
    const name = text === undefined ? "built-in configuration" : "--config-text";
    const source = { text: text ?? DEFAULT_CONFIG_TEXT, file: name, registry, allowAlpha };
    return { config: loadRouterConfig(source), source: undefined };
  }
  const load = (changed: string): RouterConfig =>
    loadRouterConfig({ text: changed, file, registry, allowAlpha });
  const read = readInput(file).toString("utf8");
  return { config: load(read), source: { file, text: read, load } };
}

function explainTakenPort(error: unknown): never {
  const isTaken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
  if (!isTaken || !("port" in error)) throw error;
  throw new UsageError(
    `port ${String(error.port)} is taken; choose another with --grpc-port, --grpc-health-port or ` +
      "--metrics-port",
  );
}

// Measures the simulator; prints numbers and asserts nothing:
//   node --expose-gc test/bench/simulation.ts [mooncake-conversation.jsonl]
import { existsSync } from "node:fs";
import process from "node:process";
import { traceLines } from "../../src/cli/trace-lines.ts";
import { DEFAULT_CONFIG_TEXT } from "../../src/config/default-config.ts";
import { loadRouterConfig } from "../../src/config/load-router-config.ts";
import { createRegistry } from "../../src/plugin/registry.ts";
import { builtinPlugins } from "../../src/plugins/builtin-plugins.ts";
import { labEngine, labPool } from "../../src/sim/fidelity/lab.ts";
import { DEFAULT_SETTINGS } from "../../src/sim/scenario.ts";
import { simulate } from "../../src/sim/simulate.ts";
import { mooncakeTrace } from "../../src/sim/workload/mooncake-trace.ts";
import type { Workload } from "../../src/sim/workload/workload.ts";
import { workloadWith } from "../fixtures/simulated-pool.ts";

const BESIDE = "../shared/traces/mooncake-conversation.jsonl";
const [trace = existsSync(BESIDE) ? BESIDE : undefined] = process.argv.slice(2);
const engines = labPool("both", 8, labEngine("Llama-3.1-8B", "H200", {}));
const registry = createRegistry(builtinPlugins);
const config = loadRouterConfig({ text: DEFAULT_CONFIG_TEXT, file: "default", registry });

const params = { promptTokens: 1000, outputTokens: 200 };
for (const requests of [10_000, 40_000]) {
  const workload = workloadWith("fixed", { params, requests, perSecond: 80 });
  await measure(`${requests} requests, 1000 tokens in, 200 out`, workload);
}
if (trace === undefined) console.log("name the Mooncake conversation trace to measure it as well");
else {
  const lines = traceLines(trace);
  const workload = mooncakeTrace({ file: "mooncake", lines, isSorted: false });
  await measure("Mooncake conversation trace", workload);
}

async function measure(name: string, workload: Workload): Promise<void> {
  globalThis.gc?.();
  const startMs = performance.now();
  const service = { name: "bench", modelName: "Llama-3.1-8B", config, engines, workload };
  const report = await simulate({ services: [service], settings: DEFAULT_SETTINGS });
  const seconds = (performance.now() - startMs) / 1000;
  globalThis.gc?.();
  const completed = report.services[0]?.requests.completed ?? 0;
  const rss = (process.memoryUsage().rss / 2 ** 20).toFixed(0);
  const speed = (completed / seconds).toFixed(0);
  console.log(
    `${name}: ${seconds.toFixed(2)} s, ${speed} requests/s, ` +
      `${(report.simulatedSeconds / seconds).toFixed(0)} times real time on 8 engines, RSS ${rss} MiB`,
  );
}

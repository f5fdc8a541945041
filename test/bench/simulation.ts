// Simulates on 8 engines, the Mooncake conversation trace too where it lies beside the checkout:
//   node --expose-gc test/bench/simulation.ts [--short]
import { existsSync } from "node:fs";
import { join } from "node:path";
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
import { atLeast, atMost, type BenchRun, type Measure, runProgram } from "./measure.ts";

const TRACE = join(import.meta.dirname, "../../../shared/traces/mooncake-conversation.jsonl");
const REQUESTS_PER_SECOND_MIN = 5000;
const TRACE_SECONDS_MAX = 5;

const engines = labPool("both", 8, labEngine("Llama-3.1-8B", "H200", {}));
const registry = createRegistry(builtinPlugins);
const config = loadRouterConfig({ text: DEFAULT_CONFIG_TEXT, file: "default", registry });

if (import.meta.main) await runProgram(measureSimulation);

/** Simulated requests in a second of wall time, and the time that the trace takes. */
export async function measureSimulation({ isShort }: BenchRun): Promise<readonly Measure[]> {
  const params = { promptTokens: 1000, outputTokens: 200 };
  const measures: Measure[] = [];
  for (const requests of isShort ? [10_000] : [10_000, 40_000]) {
    const workload = workloadWith("fixed", { params, requests, perSecond: 80 });
    const name = `simulation, ${requests} requests of 1000 tokens in and 200 out`;
    const { seconds, completed } = await timeOf(name, workload);
    const budget = atLeast(REQUESTS_PER_SECOND_MIN);
    measures.push({ name, value: completed / seconds, unit: "requests/s", budget });
  }
  if (!existsSync(TRACE)) console.log("the Mooncake conversation trace is not there: left out");
  else {
    const name = "simulation, Mooncake conversation trace";
    const trace = { file: "mooncake", lines: traceLines(TRACE), isSorted: false };
    const { seconds } = await timeOf(name, mooncakeTrace(trace));
    measures.push({ name, value: seconds, unit: "s", budget: atMost(TRACE_SECONDS_MAX) });
  }
  return measures;
}

async function timeOf(
  name: string,
  workload: Workload,
): Promise<{ readonly seconds: number; readonly completed: number }> {
  globalThis.gc?.();
  const startMs = performance.now();
  const service = { name: "bench", modelName: "Llama-3.1-8B", config, engines, workload };
  const report = await simulate({ services: [service], settings: DEFAULT_SETTINGS });
  const seconds = (performance.now() - startMs) / 1000;
  globalThis.gc?.();
  const rss = (process.memoryUsage().rss / 2 ** 20).toFixed(0);
  const pace = (report.simulatedSeconds / seconds).toFixed(0);
  console.log(`${name}: ${seconds.toFixed(2)} s, ${pace} times real time, RSS ${rss} MiB`);
  return { seconds, completed: report.services[0]?.requests.completed ?? 0 };
}

// CPU of a router without requests, whose endpoints are only scraped and probed:
//   node test/bench/idle.ts [--short] [seconds] [endpoints…]
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { FileFeed, openEndpointsFile } from "../../src/app/file-feed.ts";
import { endpointsText } from "../fixtures/running-epp.ts";
import { startServeWith } from "../fixtures/serve-with-feed.ts";
import { atMost, type BenchRun, type Measure, runProgram } from "./measure.ts";

const PROMISED_ENDPOINTS = 100;
const PERCENT_MAX = 2;

if (import.meta.main) await runProgram(measureIdle);

/** Share of a core for each number of endpoints. */
export async function measureIdle({ isShort, numbers }: BenchRun): Promise<readonly Measure[]> {
  const [seconds = isShort ? 5 : 20, ...sizes] = numbers;
  const measures: Measure[] = [];
  for (const endpoints of sizes.length > 0 ? sizes : [PROMISED_ENDPOINTS, 1000]) {
    const name = `idle, ${endpoints} endpoints`;
    const value = await idlePercent(endpoints, seconds);
    const budget = endpoints === PROMISED_ENDPOINTS && { budget: atMost(PERCENT_MAX) };
    measures.push({ name, value, unit: "% of a core", ...budget });
  }
  return measures;
}

async function idlePercent(endpoints: number, seconds: number): Promise<number> {
  const program = fileURLToPath(new URL("./idle-engines.ts", import.meta.url));
  const engines = fork(program, [String(endpoints)]);
  const [addresses] = (await once(engines, "message")) as [string[]];
  const folder = mkdtempSync(join(tmpdir(), "switchyard-idle-"));
  const file = join(folder, "endpoints.json");
  const text = endpointsText(addresses.map((address, i) => ({ name: `e${i}`, address })));
  writeFileSync(file, text);
  const feed = new FileFeed(openEndpointsFile({ text, file }), { isResolving: false });
  const picker = { file: join(folder, "picker.yaml"), modelName: undefined };
  const router = await startServeWith(feed, picker);
  await delay(3000);
  const before = process.cpuUsage();
  const startMs = performance.now();
  await delay(seconds * 1000);
  const { user, system } = process.cpuUsage(before);
  const share = (user + system) / 1000 / (performance.now() - startMs);
  await router.drain();
  rmSync(folder, { recursive: true });
  engines.disconnect();
  return 100 * share;
}

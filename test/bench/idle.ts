// CPU of a router without requests, whose endpoints are only scraped and probed:
//   node test/bench/idle.ts [endpoints] [seconds]
import { fork } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { builtinRegistry } from "../../src/app/plugin-registry.ts";
import { DEFAULT_ROUTER_OPTIONS } from "../../src/app/router-options.ts";
import { startServe } from "../../src/app/serve.ts";
import { DEFAULT_CONFIG_TEXT } from "../../src/config/default-config.ts";
import { loadRouterConfig } from "../../src/config/load-router-config.ts";
import { noLog } from "../../src/core/log.ts";

const [endpoints = 100, seconds = 20] = process.argv.slice(2).map(Number);

const engines = fork(fileURLToPath(new URL("./idle-engines.ts", import.meta.url)), [
  String(endpoints),
]);
const [addresses] = (await once(engines, "message")) as [string[]];
const text = JSON.stringify({
  endpoints: addresses.map((address, i) => {
    const [host, port] = address.split(":");
    return { name: `e${i}`, address: host, port };
  }),
});
const loading = { file: "default", registry: builtinRegistry(), allowAlpha: false };
const load = (written: string) => loadRouterConfig({ text: written, ...loading });
const running = await startServe({
  pool: { namespace: "default", name: "pool" },
  config: load(DEFAULT_CONFIG_TEXT),
  source: { file: fileURLToPath(import.meta.url), text: DEFAULT_CONFIG_TEXT, load },
  modelName: undefined,
  kvEvents: {},
  endpointsFile: { text, file: "endpoints" },
  host: "127.0.0.1",
  port: 0,
  adminHost: "127.0.0.1",
  adminPort: 0,
  seed: 1,
  isCorrectingMetrics: true,
  prefillCandidates: 1,
  options: DEFAULT_ROUTER_OPTIONS,
  log: noLog,
});
await delay(3000);
const before = process.cpuUsage();
const startMs = performance.now();
await delay(seconds * 1000);
const { user, system } = process.cpuUsage(before);
const share = (user + system) / 1000 / (performance.now() - startMs);
console.log(`${endpoints} endpoints, idle: ${(100 * share).toFixed(2)} % of a core (budget 2 %)`);
await running.router.drain();
engines.disconnect();

// Sends requests through a whole `up` in this process and reports memory and sizes:
//   node --expose-gc test/bench/soak.ts [requests] [concurrency]
import { fork } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { builtinRegistry } from "../../src/app/plugin-registry.ts";
import { DEFAULT_ROUTER_OPTIONS } from "../../src/app/router-options.ts";
import { startUp } from "../../src/app/up.ts";
import { loadManifest } from "../../src/cli/load-input.ts";
import { noLog } from "../../src/core/log.ts";
import { EXAMPLES } from "../fixtures/running-up.ts";

const [requests = 2000, concurrency = 64] = process.argv.slice(2).map(Number);
const loading = { registry: builtinRegistry() };
const files = EXAMPLES.map((path) => loadManifest(path, loading));
const services = files.map(({ service }) => service);
const up = await startUp({
  services,
  files,
  loading,
  replicas: [],
  prefillReplicas: [],
  gpus: [],
  model: undefined,
  host: "127.0.0.1",
  port: 0,
  adminHost: "127.0.0.1",
  adminPort: 0,
  timeScale: 10,
  seed: 1,
  isCorrectingMetrics: true,
  prefillFallback: "decode",
  options: DEFAULT_ROUTER_OPTIONS,
  log: noLog,
  gaveUp: () => process.exit(1),
});
const url = `http://127.0.0.1:${up.router.port}/v1/chat/completions`;
while (!(await fetch(`http://127.0.0.1:${up.router.adminPort}/readyz`)).ok);

// The clients are a process of their own, so that the memory measured is the router's.
const half = await batch(0, requests / 2);
const full = await batch(requests / 2, requests);
console.error(`requests ${requests}, failed ${half.failed + full.failed}`);
console.error(`RSS after GC: ${half.rss} MiB at ${requests / 2}, ${full.rss} MiB at ${requests}`);
console.error(`heap after GC: ${half.heap} MiB, then ${full.heap} MiB`);
for (const { name } of services) {
  const core = up.router.state(name);
  const index = core?.graph.indexes()[0];
  console.error(
    `${name}: ${core?.decisions.count} decisions in ${core?.decisions.sizeBytes} bytes, ` +
      `index ${index?.blockCount ?? 0} blocks in ${index?.sizeBytes ?? 0} bytes, ` +
      `in flight ${core?.inFlightCount}`,
  );
}
await up.stop();

/** Sends requests `from` to `to` and measures. */
async function batch(
  from: number,
  to: number,
): Promise<{ failed: number; rss: number; heap: number }> {
  const client = fork(fileURLToPath(new URL("./soak-client.ts", import.meta.url)), [
    url,
    ...[from, to, concurrency].map(String),
  ]);
  const [failed] = (await once(client, "message")) as [number];
  await once(client, "exit");
  globalThis.gc?.();
  await delay(500);
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  return { failed, rss: mib(rss), heap: mib(heapUsed) };
}

function mib(bytes: number): number {
  return Math.round((bytes / 1024 / 1024) * 10) / 10;
}

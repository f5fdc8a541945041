// CPU of a router without requests, whose endpoints are only scraped and probed:
//   node test/bench/idle.ts [endpoints] [seconds]
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

const [endpoints = 100, seconds = 20] = process.argv.slice(2).map(Number);

const engines = fork(fileURLToPath(new URL("./idle-engines.ts", import.meta.url)), [
  String(endpoints),
]);
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
console.log(`${endpoints} endpoints, idle: ${(100 * share).toFixed(2)} % of a core (budget 2 %)`);
await router.drain();
rmSync(folder, { recursive: true });
engines.disconnect();

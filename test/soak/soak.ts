// Mixed traffic through a real `serve` while engines, endpoints and configuration change under it:
//   npm run soak -- [--minutes 30]
// Ends with 1 when a request, a socket or a place in flight was lost. Needs Linux.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { SeededRng } from "../../src/core/rng.ts";
import { SINGLE } from "../fixtures/picker-configs.ts";
import { Ledger } from "./ledger.ts";
import { SoakClients } from "./soak-clients.ts";
import { ENGINES, MODEL, replaceFile, SoakedEngines } from "./soaked-engines.ts";
import { type MemoryAfterGc, SoakedRouter } from "./soaked-router.ts";

const PARTS = 3;
const REQUESTS_PER_MINUTE_MAX = 60_000;
const DISTURBANCE_MS = 1000;
// Connections that are kept to engines are closed sooner; the last line is written sooner still.
const SETTLE_SECONDS_MAX = 60;
// Endpoints at rest are scraped every five seconds.
const BASELINE_SAMPLES = 60;
// What is bounded by configuration, such as decisions, fills up meanwhile.
const HEAP_GROWTH_BYTES_MAX = 128 << 20;

if (import.meta.main) await main();

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { minutes: { type: "string", default: "30" } } });
  const minutes = Number(values.minutes);
  if (!(minutes > 0 && minutes <= 24 * 60)) {
    console.error(`--minutes ${values.minutes}: must be a number above 0, at most 1440`);
    process.exit(2);
  }
  if (!existsSync("/proc/self/fd")) {
    console.error("the soak counts sockets in /proc, which this system does not have");
    process.exit(2);
  }
  const folder = mkdtempSync(join(tmpdir(), "switchyard-soak-"));
  try {
    const ledger = new Ledger();
    await soak(folder, minutes, ledger);
    for (const fault of ledger.faults) console.error(`fault: ${fault}`);
    console.log(ledger.faultCount === 0 ? "nothing was lost" : `${ledger.faultCount} faults`);
    process.exitCode = ledger.faultCount === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function soak(folder: string, minutes: number, ledger: Ledger): Promise<void> {
  const files = { endpoints: join(folder, "endpoints.json"), config: join(folder, "picker.yaml") };
  replaceFile(files.config, SINGLE);
  await using engines = await SoakedEngines.start(files.endpoints);
  const args = ["--config", files.config, "--endpoints", files.endpoints, "--model", MODEL];
  await using router = await SoakedRouter.start(args, (line) => ledger.logged(line));
  await until("all endpoints are ready", async () => (await router.readyCount()) === ENGINES);
  const baseline = await restingSockets(router);
  const clients = new SoakClients(router.port, ledger, new SeededRng(1));
  const memory: MemoryAfterGc[] = [];
  for (let part = 0; part < PARTS; part++) {
    const untilMs = performance.now() + (minutes * 60_000) / PARTS;
    const disturbing = disturb({
      engines,
      config: files.config,
      untilMs,
      rng: new SeededRng(part),
    });
    await clients.run(untilMs, (minutes * REQUESTS_PER_MINUTE_MAX) / PARTS);
    await disturbing;
    memory.push(await router.memory());
  }
  clients.close();
  engines.listAll();
  await settle(router, { ledger, baseline });
  report(ledger, memory);
}

/** One disturbance a second: endpoints, configuration, then an engine. */
async function disturb(under: {
  readonly engines: SoakedEngines;
  readonly config: string;
  readonly untilMs: number;
  readonly rng: SeededRng;
}): Promise<void> {
  const { engines, config, untilMs, rng } = under;
  for (let turn = 0; performance.now() < untilMs; turn++) {
    await delay(DISTURBANCE_MS);
    if (turn % 3 === 0) engines.listSome(rng);
    else if (turn % 3 === 1) replaceFile(config, otherConfig(rng));
    else await engines.restartOne(rng);
  }
}

/** Another weight, or what cannot be loaded and changes nothing. */
function otherConfig(rng: SeededRng): string {
  const weight = rng.below(4);
  return weight === 0 ? "kind: Nonsense\n" : SINGLE.replace("weight: 2.0", `weight: ${weight}.0`);
}

/** The most that background work alone has open. */
async function restingSockets(router: SoakedRouter): Promise<number> {
  let most = 0;
  for (let sample = 0; sample < BASELINE_SAMPLES; sample++) {
    most = Math.max(most, router.socketCount());
    await delay(100);
  }
  return most;
}

/** Waits for what has to come back to where it was, and says what did not. */
async function settle(
  router: SoakedRouter,
  { ledger, baseline }: { readonly ledger: Ledger; readonly baseline: number },
): Promise<void> {
  const untilMs = performance.now() + SETTLE_SECONDS_MAX * 1000;
  let [sockets, inFlight, ready] = [0, 0, 0];
  do {
    await delay(200);
    // Before the admin API is asked, whose connections are the router's as well.
    sockets = router.socketCount();
    inFlight = await router.inFlight();
    ready = await router.readyCount();
  } while (
    performance.now() < untilMs &&
    (ledger.openCount > 0 || sockets > baseline || inFlight > 0 || ready < ENGINES)
  );
  ledger.close();
  console.log(`sockets: ${baseline} before, ${sockets} after; in flight: ${inFlight}`);
  if (sockets > baseline) ledger.fault(`${sockets - baseline} sockets more than before`);
  if (inFlight > 0) ledger.fault(`${inFlight} requests still in flight`);
  if (ready < ENGINES) ledger.fault(`${ready} of ${ENGINES} endpoints are ready`);
}

function report(ledger: Ledger, memory: readonly MemoryAfterGc[]): void {
  for (const [what, count] of [...ledger.counts].sort()) console.log(`${what}: ${count}`);
  for (const [part, { rss, heapUsed }] of memory.entries()) {
    console.log(`after ${part + 1}/${PARTS}: RSS ${mib(rss)} MiB, heap ${mib(heapUsed)} MiB`);
  }
  const growth = (memory.at(-1)?.heapUsed ?? 0) - (memory[0]?.heapUsed ?? 0);
  if (growth > HEAP_GROWTH_BYTES_MAX) ledger.fault(`the heap grew by ${mib(growth)} MiB`);
  const [answered = 0, asked = 0] = ["answered 200", "sent"].map((what) => ledger.counts.get(what));
  // Of a hundred requests, 70 wait for an answer of an engine.
  if (answered < asked / 3) ledger.fault(`only ${answered} of ${asked} were answered 200`);
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + SETTLE_SECONDS_MAX * 1000;
  while (!(await condition())) {
    if (performance.now() > untilMs)
      throw new Error(`in ${SETTLE_SECONDS_MAX} s not once: ${what}`);
    await delay(100);
  }
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

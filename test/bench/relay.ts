// CPU and latency of the router's whole job beside nginx and haproxy, in turns within one run:
//   node test/bench/relay.ts [--short] [--rounds 3] [--seconds 2] [--warmup 8] [--case NAME]… [--against CHECKOUT] [--json FILE]
// Warm-up is counted in CPU seconds of each server, all other times are wall seconds.
// Needs Linux and gcc; servers that are missing are left out (Debian: apt-get install nginx haproxy).
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { publish } from "./measure.ts";
import { nativeTools, programPath } from "./native-tools.ts";
import { freePorts, type PeerProcess, startEngines } from "./peer-process.ts";
import { medianSample, relayMeasures } from "./relay-budgets.ts";
import {
  measure,
  RELAY_CASES,
  type RelayCase,
  type RelaySample,
  writeBody,
} from "./relay-measure.ts";
import { startHaproxy, startNginx, startRouter } from "./relay-peers.ts";

// 20 events a second on each stream.
const EVENT_INTERVAL_US = 50_000;

const isShort = process.argv.includes("--short");
const { values } = parseArgs({
  options: {
    short: { type: "boolean" },
    rounds: { type: "string", default: isShort ? "1" : "3" },
    seconds: { type: "string", default: isShort ? "1" : "2" },
    warmup: { type: "string", default: isShort ? "2" : "8" },
    case: { type: "string", multiple: true },
    against: { type: "string" },
    json: { type: "string" },
  },
});
const names = RELAY_CASES.map(({ name }) => name);
const wanted = values.case ?? names;
for (const name of wanted) {
  if (names.includes(name)) continue;
  console.error(`--case ${name}: no such case (allowed: ${names.join(", ")})`);
  process.exit(2);
}
const rounds = positive("rounds");
const folder = mkdtempSync(join(tmpdir(), "switchyard-relay-"));
const peers: PeerProcess[] = [];
try {
  await main();
} finally {
  await Promise.all(peers.map((peer) => peer[Symbol.asyncDispose]()));
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const tools = nativeTools(folder);
  if (tools === undefined) {
    console.log("relay: skipped, gcc is missing");
    return publish([]);
  }
  if (programPath("taskset") === undefined) console.log("taskset is missing: nothing is pinned");
  const [engine = 0, own = 0, against = 0, nginx = 0, haproxy = 0] = await freePorts(5);
  peers.push(await startEngines([engine], tools.upstream, EVENT_INTERVAL_US));
  const relays: PeerProcess[] = [];
  // What has started is ended even when the next one does not start.
  const add = async (starting: Promise<PeerProcess> | undefined): Promise<void> => {
    const peer = await starting;
    if (peer === undefined) return;
    relays.push(peer);
    peers.push(peer);
  };
  await add(startRouter("router", { engines: [engine], own }, folder));
  if (values.against !== undefined) {
    await add(startRouter("against", { engines: [engine], own: against }, folder, values.against));
  }
  await add(startNginx({ engine, own: nginx }, folder));
  await add(startHaproxy({ engine, own: haproxy }, folder));
  if (!["nginx", "haproxy"].every((name) => relays.some((peer) => peer.name === name))) {
    console.log("left out what is missing: apt-get install nginx haproxy");
  }
  const results = await measureAll(tools.load, relays);
  report(results);
}

/** Peers take turns, so that what else the machine does meets all of them. */
async function measureAll(
  load: string,
  relays: readonly PeerProcess[],
): Promise<Map<string, Map<string, RelaySample>>> {
  const results = new Map(relays.map((peer) => [peer.name, new Map<string, RelaySample>()]));
  for (const relayCase of RELAY_CASES.filter(({ name }) => wanted.includes(name))) {
    const body = writeBody(folder, relayCase.bodyKilobytes);
    const samples = new Map(relays.map((peer) => [peer.name, [] as RelaySample[]]));
    for (const peer of relays) await warmUp(load, peer, { relayCase, body });
    for (let round = 0; round < rounds; round++) {
      for (const peer of relays) {
        const run = { warmupSeconds: settlingSeconds(relayCase), seconds: positive("seconds") };
        samples.get(peer.name)?.push(await measure(load, peer, { relayCase, body, run }));
      }
    }
    console.log(`\n${relayCase.name}`);
    for (const peer of relays) {
      const sample = medianSample(samples.get(peer.name) ?? []);
      results.get(peer.name)?.set(relayCase.name, sample);
      console.log(line(peer.name, sample, results.get("nginx")?.get(relayCase.name)));
    }
  }
  return results;
}

/** Counts the peer's CPU seconds: where the core is shared, wall seconds end before the compiler has. */
async function warmUp(
  load: string,
  peer: PeerProcess,
  under: { readonly relayCase: RelayCase; readonly body: string },
): Promise<void> {
  const warmSeconds = positive("warmup");
  const until = peer.cpuSeconds() + warmSeconds;
  // A peer that the load cannot keep busy is warm after four times the wall seconds all the same.
  for (let runs = 0; runs < warmSeconds * 4 && peer.cpuSeconds() < until; runs++) {
    await measure(load, peer, { ...under, run: { warmupSeconds: 0.9, seconds: 0.1 } });
  }
}

function line(name: string, sample: RelaySample, nginx: RelaySample | undefined): string {
  const { costUs, perSecond, core, p50Us, p99Us, loadCore, failed } = sample;
  const share =
    nginx === undefined ? "" : ` ${(sample.perCoreSecond / nginx.perCoreSecond).toFixed(2)}x nginx`;
  const isLimit = loadCore > 0.9 ? " (load generator is the limit)" : "";
  return (
    `  ${name.padEnd(8)} ${costUs.toFixed(1).padStart(7)} us ${perSecond.toFixed(0).padStart(7)}/s` +
    ` core ${core.toFixed(2)} p50 ${p50Us.toFixed(0)} p99 ${p99Us.toFixed(0)} us` +
    ` load ${loadCore.toFixed(2)}${share}${failed > 0 ? ` FAILED ${failed}` : ""}${isLimit}`
  );
}

function report(results: ReadonlyMap<string, ReadonlyMap<string, RelaySample>>): void {
  const measures = relayMeasures(results);
  publish(measures);
  if (values.json === undefined) return;
  const peersByName = Object.fromEntries(
    [...results].map(([name, cases]) => [name, Object.fromEntries(cases)]),
  );
  writeFileSync(values.json, `${JSON.stringify({ peers: peersByName, measures }, null, 2)}\n`);
}

/** Thousands of streams take their time to begin. */
function settlingSeconds({ kind }: RelayCase): number {
  return kind === "paced" ? 5 : 0.5;
}

function positive(name: "rounds" | "seconds" | "warmup"): number {
  const value = Number(values[name]);
  if (value > 0 && Number.isFinite(value)) return value;
  console.error(`--${name} ${values[name]}: must be a number above 0`);
  process.exit(2);
}

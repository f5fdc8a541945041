// CPU of a request with a prompt of 100k tokens and a streamed answer of 1k, over 100 endpoints:
//   node test/bench/long-prompt.ts [--short]
// Needs Linux and gcc, as relay.ts does; nginx stands beside it where it is installed.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atMost, type BenchRun, type Measure, runProgram } from "./measure.ts";
import { nativeTools } from "./native-tools.ts";
import { freePorts, type PeerProcess, startEngines } from "./peer-process.ts";
import { measure, type RelayCase, type RelaySample, writeBody } from "./relay-measure.ts";
import { startNginx, startRouter } from "./relay-peers.ts";

const ENDPOINTS = 100;
// About four bytes a token.
const LONG_PROMPT: RelayCase = {
  name: "100k tokens in, 1k streamed out, 100 endpoints",
  kind: "paced",
  path: "/v1/chat/completions?answer",
  bodyKilobytes: 400,
  connections: 32,
};
const EVENTS_PER_ANSWER = 1000;
// An answer takes two seconds; each of its events is a write of its own.
const EVENT_INTERVAL_US = 2000;
const CPU_MS_MAX = 25;

if (import.meta.main) await runProgram(measureLongPrompt);

/** CPU milliseconds of a request, body, decision and all events of its answer. */
export async function measureLongPrompt({ isShort }: BenchRun): Promise<readonly Measure[]> {
  const folder = mkdtempSync(join(tmpdir(), "switchyard-long-prompt-"));
  const peers: PeerProcess[] = [];
  try {
    const tools = nativeTools(folder);
    if (tools === undefined) {
      console.log("long-prompt: skipped, gcc is missing");
      return [];
    }
    const [own = 0, beside = 0, ...engines] = await freePorts(2 + ENDPOINTS);
    peers.push(await startEngines(engines, tools.upstream, EVENT_INTERVAL_US));
    const router = await startRouter("router", { engines, own }, folder);
    peers.push(router);
    const nginx = await startNginx({ engine: engines[0] ?? 0, own: beside }, folder);
    if (nginx !== undefined) peers.push(nginx);
    const under = {
      relayCase: LONG_PROMPT,
      body: writeBody(folder, LONG_PROMPT.bodyKilobytes),
      run: isShort ? { warmupSeconds: 3, seconds: 4 } : { warmupSeconds: 10, seconds: 20 },
    };
    const sample = await measure(tools.load, router, under);
    return [measureOf(sample, nginx && (await measure(tools.load, nginx, under)))];
  } finally {
    await Promise.all(peers.map((peer) => peer[Symbol.asyncDispose]()));
    rmSync(folder, { recursive: true, force: true });
  }
}

function measureOf(sample: RelaySample, nginx: RelaySample | undefined): Measure {
  const value = cpuMs(sample);
  const isLimit = Math.max(sample.loadCore, nginx?.loadCore ?? 0) > 0.9;
  const { core, loadCore, failed } = sample;
  const used = `core ${core.toFixed(2)}, load ${loadCore.toFixed(2)}, failed ${failed}`;
  console.log(`${LONG_PROMPT.name}: ${sample.perSecond.toFixed(0)} events/s, ${used}`);
  return {
    name: LONG_PROMPT.name,
    value,
    unit: "ms of CPU",
    budget: atMost(CPU_MS_MAX),
    ...(nginx && { peer: "nginx", ratio: value / cpuMs(nginx) }),
    ...(isLimit && { remark: "the load generator was the limit" }),
  };
}

/** Events are counted, because answers are few and cut by the ends of the run. */
function cpuMs({ costUs }: RelaySample): number {
  return (costUs * EVENTS_PER_ANSWER) / 1000;
}

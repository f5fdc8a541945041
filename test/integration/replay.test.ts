import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import type { ReplayReport } from "../../src/sim/replay/replay-report.ts";
import { EXAMPLES, RunningUp, runCli } from "../fixtures/running-up.ts";

const folder = mkdtempSync(join(tmpdir(), "switchyard-"));
const recording = join(folder, "run.jsonl");
/** The example's engines with KV events, so that the kv-cache-scorer matches blocks. */
const reporting = join(folder, "gpt-oss-20b.yaml");
const reportingGpt = readFileSync("examples/gpt-oss-20b.yaml", "utf8").replace(
  'value: "--disable-uvicorn-access-log"',
  `value: >-
              --kv-events-config '{"enable_kv_cache_events":true}'`,
);
const SECRET = "The-blue-door";
const REQUESTS = 300;
const CLIENTS = 12;

/** Both examples under concurrent clients, plain and streamed, with an engine that dies and returns. */
before(async () => {
  writeFileSync(reporting, reportingGpt);
  const args = [reporting, EXAMPLES[1] ?? "", "--replicas", "gpt-oss-20b=4", "--time-scale", "20"];
  await using up = await RunningUp.start([...args, "--record", recording]);
  let sent = 0;
  const ask = async (number: number): Promise<void> => {
    const prompt = `${SECRET}-${number % 9} `.repeat(40 + 30 * (number % 9)) + number;
    const isChat = number % 5 === 0;
    const asked = isChat ? { messages: [{ role: "user", content: prompt }] } : { prompt };
    const response = await fetch(`${up.url}/v1/${isChat ? "chat/completions" : "completions"}`, {
      method: "POST",
      body: JSON.stringify({
        model: number % 3 === 0 ? "Qwen/Qwen3-0.6B" : "openai/gpt-oss-20b",
        ...asked,
        max_tokens: 2 + (number % 12),
        stream: number % 2 === 0,
      }),
    });
    // A stream that the killed engine was sending breaks; the recording must hold that too.
    await response.text().catch(() => undefined);
  };
  const client = async (): Promise<void> => {
    while (sent < REQUESTS) {
      const number = sent++;
      if (number === REQUESTS / 3) await up.control("gpt-oss-20b-1", "kill");
      if (number === (2 * REQUESTS) / 3) await up.control("gpt-oss-20b-1", "start");
      await ask(number);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
});

async function replay(...args: readonly string[]): Promise<ReplayReport> {
  const { code, stdout, stderr } = await runCli(["replay", recording, ...args, "--json"]);
  assert.equal(code, 0, stderr + stdout.slice(0, 2000));
  return JSON.parse(stdout) as ReplayReport;
}

test("replay: the same configuration chooses the same endpoints for every request", async () => {
  const report = await replay();
  assert.equal(report.isReproduced, true);
  assert.equal(report.incomplete, null);
  const counts = report.pools.map(({ requests }) => requests);
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    REQUESTS,
  );
  assert.ok(counts.every((count) => count > 0));
});

test("replay: no text of a prompt is in the recording", () => {
  const text = readFileSync(recording, "utf8");
  assert.equal(text.includes(SECRET), false);
  assert.equal(text.includes(btoa(SECRET)), false);
  assert.equal(text.includes("tokenIds"), false);
  assert.match(text, /"kind":"stored",.*"chain":"[A-Za-z0-9+/]+=*"/);
});

test("replay: other weights move some requests, of their own pool only", async () => {
  const other = join(folder, "other.yaml");
  const text = readFileSync("examples/gpt-oss-20b.yaml", "utf8");
  writeFileSync(other, text.replace("weight: 2.0", "weight: 0.0"));
  const [gpt, qwen] = (await replay("--config", other)).pools;
  assert.ok(gpt !== undefined && gpt.movedCount > 0 && gpt.movedCount < gpt.requests);
  assert.equal(qwen?.changedCount, 0);
  const words = await runCli(["replay", recording, "--config", other]);
  assert.match(words.stdout, /Parity: the recorded configuration made every recorded choice again/);
  assert.match(words.stdout, /would have gone to another endpoint/);
});

test("replay: a recording is a trace for simulate", async () => {
  const { code, stdout, stderr } = await runCli([
    "simulate",
    ...EXAMPLES,
    "--trace",
    recording,
    "--json",
  ]);
  assert.equal(code, 0, stderr);
  const { services } = JSON.parse(stdout) as {
    services: readonly { requests: { arrived: number; completed: number } }[];
  };
  assert.equal(
    services.reduce((sum, { requests }) => sum + requests.completed, 0),
    REQUESTS,
  );
});

test("replay: compare sends both services what the first one got", async () => {
  const { code, stdout, stderr } = await runCli([
    "compare",
    ...EXAMPLES,
    "--trace",
    recording,
    "--sweep",
    "none",
    "--seeds",
    "1",
  ]);
  assert.equal(code, 0, stderr);
  const ofFirst = (await replay()).pools[0]?.requests;
  assert.match(stdout, new RegExp(`^Requests +${ofFirst} +${ofFirst} `, "m"));
});

test("replay: a file that exists is not written over", async () => {
  const { code, stderr } = await runCli(["up", ...EXAMPLES, "--port", "0", "--record", recording]);
  assert.equal(code, 2);
  assert.match(stderr, /run\.jsonl exists already/);
});

test("replay: a configuration for a pool that was not recorded is refused", async () => {
  const { code, stderr } = await runCli([
    "replay",
    recording,
    "--config",
    "lake=examples/qwen-pd.yaml",
  ]);
  assert.equal(code, 2);
  assert.match(stderr, /the recording has no pool lake; it has gpt-oss-20b, qwen-pd/);
});

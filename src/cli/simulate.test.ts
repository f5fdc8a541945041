import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { CommanderError } from "commander";
import { ConfigError } from "../core/config-error.ts";
import type { Report } from "../sim/report.ts";
import { simulateCommand } from "./simulate.ts";
import { UsageError } from "./usage-error.ts";

const root = new URL("../../", import.meta.url).pathname;
const SINGLE = "examples/gpt-oss-20b.yaml";
const SPLIT = "examples/qwen-pd.yaml";
const folder = mkdtempSync(join(tmpdir(), "switchyard-simulate-"));

function written(name: string, content: string): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
}

function start(args: readonly string[]) {
  const command = ["src/cli/main.ts", "simulate", ...args];
  return spawn(process.execPath, command, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
}

async function simulate(...args: readonly string[]) {
  const child = start(args);
  const [[code], out, err] = await Promise.all([
    once(child, "close"),
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code: code as number | null, out, err };
}

test("simulate: prints a section for each service", async () => {
  const { code, out, err } = await simulate(SINGLE, SPLIT, "--requests", "20", "--rate", "4,8");
  assert.equal(code, 0, err);
  for (const part of [
    /^gpt-oss-20b \(openai\/gpt-oss-20b\), chat$/m,
    /^qwen-pd \(Qwen\/Qwen3-0\.6B\), chat$/m,
    /^transfers {2}\d+ of .* GB in all/m,
    /^time to first token +[\d.]+/m,
    /^rate 8 +[\d.]+/m,
    /^qwen-pd-prefill-0 +prefill/m,
    /^Simulated [\d.]+ s, seed 1\.$/m,
  ]) {
    assert.match(out, part);
  }
});

test("simulate: --json is byte for byte the same for the same seed", async () => {
  const args = [SINGLE, "--replicas", "3", "--requests", "30", "--json", "--gpu", "H200"];
  const slo = ["--slo-ttft-ms", "500", "--slo-tpot-ms", "20"];
  const texts: string[] = [];
  for (const seed of ["7", "7", "8"]) {
    const { out, err } = await simulate(...args, ...slo, "--seed", seed);
    assert.equal(err, "");
    texts.push(out);
  }
  const [text = "", same, other] = texts;
  assert.equal(text, same);
  assert.notEqual(text, other);
  const one = JSON.parse(text) as Report;
  assert.equal(one.services[0]?.endpoints.length, 3);
  assert.ok(one.services[0]?.goodput !== null);
});

test("simulate: a trace of either format is read", async () => {
  const mooncake = written(
    "some.jsonl",
    '{"timestamp":0,"input_length":700,"output_length":5,"hash_ids":[0,1]}\n' +
      '{"timestamp":900,"input_length":600,"output_length":5,"hash_ids":[0,2]}\n',
  );
  const azure = written(
    "some.csv",
    "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:03.9799600,480,10\r\n",
  );
  for (const [file, completed, cached] of [
    [mooncake, 2, 512 / 1300],
    [azure, 1, 0],
  ] as const) {
    const { out, err } = await simulate(SINGLE, "--trace", file, "--json");
    assert.equal(err, "");
    const [service] = (JSON.parse(out) as Report).services;
    assert.equal(service?.requests.completed, completed);
    assert.equal(service?.cacheHitRatio, cached);
  }
});

test("simulate: measurements become constants, and these change the engines", async () => {
  const measured = written(
    "measured.json",
    JSON.stringify({
      model: "openai/gpt-oss-20b",
      gpu: "H100",
      tensorParallel: 1,
      prefill8192Ms: 300,
      itlMs: { alone: 6, of32: 12, contextTokens: 2000 },
      ttft128Ms: 60,
    }),
  );
  const fitted = await simulate("--calibrate", measured);
  assert.equal(fitted.code, 0, fitted.err);
  const calibration = written("calibration.json", fitted.out);
  const args = [SINGLE, "--requests", "5", "--json"];
  const means: number[] = [];
  for (const more of [[], ["--calibration", calibration]]) {
    const { out } = await simulate(...args, ...more);
    means.push((JSON.parse(out) as Report).services[0]?.tpotMs?.mean ?? 0);
  }
  assert.ok((means[1] ?? 0) > 1.2 * (means[0] ?? 9e9), means.join());
});

const backwards = written(
  "backwards.csv",
  "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,1,1\n2023-11-16 18:17:02,1,1\n",
);
const unknownModel = written(
  "unknown.yaml",
  readFileSync(join(root, SINGLE), "utf8").replaceAll("gpt-oss-20b", "mystery-20b"),
);
const hugeModel = written(
  "huge.yaml",
  readFileSync(join(root, SINGLE), "utf8").replaceAll("openai/gpt-oss-20b", "m/Llama-3.1-70B"),
);
const otherHardware = written(
  "other.json",
  JSON.stringify({
    model: "Qwen3-32B",
    gpu: "H200",
    tensorParallel: 2,
    gemmEfficiency: 0.6,
    weightReadEfficiency: 0.8,
    layerLaunchUs: 15,
    overheadMs: 30,
  }),
);
const faults: readonly { args: readonly string[]; says: RegExp }[] = [
  { args: [], says: /name at least one manifest/ },
  { args: [SINGLE, "--workload", "chess"], says: /no workload is named chess \(allowed: chat, / },
  { args: [SINGLE, "--param", "turns"], says: /must be NAME=NUMBER/ },
  { args: [SINGLE, "--param", "speed=1"], says: /chat has no parameter speed \(allowed: / },
  { args: [SINGLE, "--rate", "0"], says: /must be a number above 0/ },
  { args: [SINGLE, "--rate", "1", "--concurrency", "2"], says: /exclude each other/ },
  { args: [SINGLE, "--gpu", "P100"], says: /no GPU is known as P100 \(allowed: L40S, / },
  { args: [SINGLE, "--slo-ttft-ms", "5"], says: /needs both --slo-ttft-ms and --slo-tpot-ms/ },
  { args: [SINGLE, "--trace", "nowhere.jsonl"], says: /cannot read nowhere\.jsonl: / },
  { args: [SINGLE, "--trace", SINGLE], says: /a Mooncake \.jsonl or an Azure \.csv file/ },
  { args: [SINGLE, "--trace", backwards], says: /backwards\.csv:3:1: .*1000 ms before .* --sort/ },
  { args: [SINGLE, "--replicas", "0"], says: /gpt-oss-20b: has no engine/ },
  { args: [unknownModel], says: /is not known; describe it with --model-file, or use one of: / },
  { args: [hugeModel], says: /Llama-3\.1-70B does not fit: / },
  { args: [SINGLE, "--calibration", otherHardware], says: /Qwen3-32B on H200, and no engine is/ },
  { args: [SINGLE, "--calibration", "package.json"], says: /is not what --calibrate prints/ },
];
for (const { args, says } of faults) {
  test(`simulate: ${args.map((arg) => basename(arg)).join(" ")} is refused`, async () => {
    let said = "";
    const command = simulateCommand()
      .exitOverride()
      .configureOutput({
        writeErr: (line) => {
          said += line;
        },
      });
    const full = args.map((arg) => (arg === SINGLE ? join(root, SINGLE) : arg));
    await assert.rejects(command.parseAsync(full, { from: "user" }), (error) => {
      assert.ok(
        error instanceof CommanderError ||
          error instanceof ConfigError ||
          error instanceof UsageError,
        String(error),
      );
      assert.match(`${said}${error.message}`, says);
      return true;
    });
  });
}

test("simulate: a fault is one line and exit 2", async () => {
  const { code, out, err } = await simulate(SINGLE, "--trace", backwards);
  assert.equal(code, 2);
  assert.equal(out, "");
  assert.match(err, /^switchyard: .*backwards\.csv:3:1: .*\n$/);
});

test("simulate: Ctrl-C prints what there is and exits 130", async () => {
  // A pool without a connector is warned of, and by then Ctrl-C is heard.
  const manifest = written(
    "warned.yaml",
    readFileSync(join(root, SPLIT), "utf8").replaceAll("--kv_transfer_config", "--other"),
  );
  const child = start([manifest, "--requests", "100000000", "--rate", "20", "--json"]);
  const closed = once(child, "close");
  const out = text(child.stdout);
  await once(child.stderr, "data");
  child.kill("SIGINT");
  const [code] = await closed;
  assert.equal(code, 130);
  const report = JSON.parse(await out) as Report;
  assert.equal(report.isComplete, false);
  assert.ok((report.services[0]?.requests.completed ?? 0) > 0);
});

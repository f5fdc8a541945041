import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { runCli } from "../fixtures/running-up.ts";

const [SINGLE, SPLIT] = ["examples/gpt-oss-20b.yaml", "examples/qwen-pd.yaml"] as const;
const FILES = ["compare", SINGLE, SPLIT];
const SHORT = ["--sweep", "none", "--seeds", "2", "--requests", "50"];
const folder = mkdtempSync(join(tmpdir(), "switchyard-"));

interface Printed {
  readonly isComplete: boolean;
  readonly normalised: readonly string[];
  readonly measured: {
    readonly seeds: readonly number[];
    readonly rows: readonly { title: string }[];
  };
  readonly sweep: { readonly points: readonly unknown[] } | null;
  readonly answer: { readonly headline: string; readonly reasons: readonly string[] } | null;
}

test("compare: the default run answers the question and writes a page", async () => {
  const page = join(folder, "comparison.html");
  const { code, stdout, stderr } = await runCli([...FILES, "--html", page, "--json"]);
  assert.equal(code, 0, stderr);
  const report = JSON.parse(stdout) as Printed;
  assert.ok(report.isComplete);
  assert.match(report.answer?.headline ?? "", /^Single pool \(gpt-oss-20b\)/);
  assert.ok(report.answer?.reasons.some((reason) => /^Not without RDMA: over TCP/.test(reason)));
  assert.ok((report.sweep?.points.length ?? 0) > 50);
  assert.match(readFileSync(page, "utf8"), /<svg /);
});

test("compare: equal seeds print equal bytes, other seeds others", async () => {
  const run = async (...more: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await runCli([...FILES, ...SHORT, ...more]);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const [one, again, other] = await Promise.all([run(), run(), run("--seed", "7")]);
  assert.equal(one, again);
  assert.notEqual(one, other);
});

test("compare: --normalize says what it changed, --price adds the cost", async () => {
  const { stdout } = await runCli([...FILES, ...SHORT, "--normalize", "--price", "2", "--json"]);
  const { normalised, measured, sweep, answer } = JSON.parse(stdout) as Printed;
  assert.deepEqual(normalised, ["qwen-pd serves openai/gpt-oss-20b, not Qwen/Qwen3-0.6B"]);
  assert.ok(measured.rows.some(({ title }) => title.startsWith("Cost of a million")));
  assert.deepEqual([measured.seeds, sweep, answer], [[1, 2], null, null]);
});

test("compare: a trace is replayed to both", async () => {
  const trace = join(folder, "trace.csv");
  const rows = Array.from(
    { length: 20 },
    (_, index) => `2023-11-16 18:00:${String(index).padStart(2, "0")}.0000000,${500 + index},40`,
  );
  writeFileSync(trace, ["TIMESTAMP,ContextTokens,GeneratedTokens", ...rows, ""].join("\n"));
  const { code, stdout, stderr } = await runCli([
    ...FILES,
    "--sweep",
    "none",
    "--seeds",
    "1",
    "--trace",
    trace,
  ]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^Requests +20 +20 +the same$/m);
});

test("compare: bad input gives one clear line and exit 2", async () => {
  const source = readFileSync(SINGLE, "utf8");
  const written = (name: string, from: string, to: string): string => {
    assert.ok(source.includes(from));
    const file = join(folder, `${name}.yaml`);
    writeFileSync(file, source.replaceAll(from, to));
    return file;
  };
  const unknown = written("unknown", "openai/gpt-oss-20b", "acme/secret-9b");
  const large = written("large", "openai/gpt-oss-20b", "meta-llama/Llama-3.1-70B");
  const cases: readonly { args: readonly string[]; want: RegExp }[] = [
    { args: [SINGLE], want: /missing required argument/ },
    { args: [SINGLE, "nowhere.yaml"], want: /cannot read nowhere.yaml: there is no such file/ },
    { args: [SINGLE, SPLIT, "--gpu", "P100"], want: /no GPU is known as P100.*H100/ },
    {
      args: [SINGLE, SPLIT, "--gpu", "nobody=H100"],
      want: /--gpu: no service is named nobody.*qwen-pd/,
    },
    { args: [unknown, SPLIT], want: /acme\/secret-9b is not known.*gpt-oss-20b/ },
    { args: [large, SPLIT], want: /Llama-3.1-70B does not fit.*use more or larger GPUs/ },
    { args: [SINGLE, SPLIT, "--workload", "dance"], want: /no workload is named dance.*chat/ },
    { args: [SINGLE, SPLIT, "--sweep", "half"], want: /must be one of default, full, none/ },
    { args: [SINGLE, SPLIT, "--trace", "nowhere.csv"], want: /cannot read nowhere.csv/ },
  ];
  for (const { args, want } of cases) {
    const { code, stderr, stdout } = await runCli(["compare", ...args]);
    assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, want);
    assert.equal(stdout, "");
  }
});

test("compare: Ctrl-C prints what there is and exits 130", async () => {
  const command = ["src/cli/main.ts", ...FILES, "--sweep", "full", "--seeds", "20"];
  const child = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "pipe"] });
  const out = text(child.stdout);
  // As soon as it has begun: the whole would take many minutes.
  await once(child.stderr, "data");
  child.kill("SIGINT");
  const [code] = await once(child, "close");
  assert.equal(code, 130);
  const printed = await out;
  assert.match(printed, /^Interrupted/m);
  assert.match(printed, /^Architecture type/m);
});

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { EXAMPLES, RunningUp, runCli } from "../fixtures/running-up.ts";

const folder = mkdtempSync(join(tmpdir(), "switchyard-"));

function written(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

test("commands: help shows every command with an example", async () => {
  const all = await runCli(["--help"]);
  assert.equal(all.code, 0);
  for (const command of ["up", "serve", "explain", "engine"]) {
    assert.match(all.stdout, new RegExp(`^ {2}${command} `, "m"));
    const help = await runCli([command, "--help"]);
    assert.equal(help.code, 0);
    assert.match(help.stdout, /Example:/);
  }
  const serve = await runCli(["serve", "--help"]);
  assert.match(serve.stdout, /--body-bytes-max <n>.*\n?.*default: 67108864/);
});

test("commands: wrong usage and bad files give one clear line and exit 2", async () => {
  const manifest = EXAMPLES[0] ?? "";
  const broken = written("broken.yaml", "apiVersion: serving.kserve.io/v1alpha1\nkind: Pod\n");
  const text = readFileSync(manifest, "utf8");
  const twin = written("twin.yaml", text.replace("name: gpt-oss-20b\n", "name: twin\n"));
  const cases: readonly { args: readonly string[]; want: RegExp }[] = [
    {
      args: ["up", "no-such-file.yaml"],
      want: /cannot read no-such-file.yaml: there is no such file/,
    },
    { args: ["up", broken], want: /broken\.yaml:2:\d+: kind/ },
    {
      args: ["up", manifest, "--replicas", "nobody=2"],
      want: /--replicas: no service is named nobody/,
    },
    { args: ["up", manifest, "--gpu", "P100"], want: /--gpu: no GPU is known as P100.*H100/ },
    { args: ["up", manifest, "--port", "99999"], want: /must be a whole number, 0 to 65535/ },
    { args: ["up", manifest, manifest], want: /demo-llm\/gpt-oss-20b is in .* already/ },
    {
      args: ["up", manifest, twin],
      want: /demo-llm\/twin and demo-llm\/gpt-oss-20b .* both serve the model/,
    },
    { args: ["up"], want: /missing required argument/ },
    { args: ["dance"], want: /unknown command/ },
    { args: ["explain", manifest, "--request", broken], want: /is not a JSON object/ },
  ];
  for (const { args, want } of cases) {
    const { code, stderr, stdout } = await runCli(args);
    assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, want);
    assert.ok(stderr.trim().split("\n").length <= 2, stderr);
    assert.equal(stdout, "");
  }
});

test("commands: a taken port is named with what to do, and nothing is left running", async () => {
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(0, "127.0.0.1", resolve));
  const address = squatter.address();
  assert.ok(typeof address === "object" && address !== null);
  for (const flag of ["--port", "--admin-port"]) {
    const other = flag === "--port" ? "--admin-port" : "--port";
    const args = ["up", EXAMPLES[0] ?? "", flag, String(address.port), other, "0"];
    const { code, stderr } = await runCli(args);
    assert.equal(code, 2, stderr);
    assert.match(
      stderr,
      new RegExp(`port ${address.port} is taken; choose another with ${flag}\n`),
    );
  }
  squatter.close();
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`commands: ${signal} lets a request finish and ends every process`, async () => {
    const up = await RunningUp.start(["examples/gpt-oss-20b.yaml", "--replicas", "1"]);
    const response = await fetch(`${up.url}/v1/completions`, {
      method: "POST",
      body: JSON.stringify({
        model: "openai/gpt-oss-20b",
        prompt: "Let me finish",
        max_tokens: 200,
        ignore_eos: true,
        stream: true,
      }),
    });
    const engine = up.endpoints[0]?.engineAddress ?? "";
    const stopping = up.stop(signal);
    assert.match(await response.text(), /\[DONE\]/);
    assert.equal(await stopping, 0);
    await assert.rejects(fetch(`http://${engine}/health`));
    await assert.rejects(fetch(`${up.adminUrl}/healthz`));
  });
}

test("commands: up restarts an engine host that dies and says why", async () => {
  await using up = await RunningUp.start(["examples/gpt-oss-20b.yaml", "--replicas", "2"]);
  let errors = "";
  up.child.stderr?.on("data", (text: string) => {
    errors += text;
  });
  const children = await runPs(up.child.pid ?? 0);
  assert.equal(children.length, 1);
  process.kill(children[0] ?? 0, "SIGKILL");
  await up.until(async () => (await up.admin<readonly unknown[]>("/api/endpoints")).length === 0);
  await up.untilReady(2);
  assert.match(errors, /"signal":"SIGKILL".*engine-host-exited|engine-host-exited.*SIGKILL/);
  const answer = await fetch(`${up.url}/v1/completions`, {
    method: "POST",
    body: JSON.stringify({ model: "openai/gpt-oss-20b", prompt: "Again", max_tokens: 2 }),
  });
  assert.equal(answer.status, 200);
});

/** Process ids of the children, from /proc. */
async function runPs(parent: number): Promise<readonly number[]> {
  const { readFile } = await import("node:fs/promises");
  const text = await readFile(`/proc/${parent}/task/${parent}/children`, "utf8");
  return text.trim().split(" ").filter(Boolean).map(Number);
}

const shared = "../shared/manifests";
test("commands: the two manifests as they were deployed run unchanged", {
  skip: existsSync(shared) ? false : "the deployed manifests are not beside this checkout",
}, async () => {
  await using up = await RunningUp.start([`${shared}/gpt-oss-20b.yaml`, `${shared}/qwen-pd.yaml`]);
  assert.deepEqual(
    up.endpoints.map(({ name }) => name),
    ["gpt-oss-20b-0", "qwen-pd-decode-0", "qwen-pd-prefill-0"],
  );
  for (const model of ["openai/gpt-oss-20b", "Qwen/Qwen3-0.6B"]) {
    const answer = await fetch(`${up.url}/v1/completions`, {
      method: "POST",
      body: JSON.stringify({ model, prompt: "Unchanged", max_tokens: 4 }),
    });
    assert.equal(answer.status, 200);
  }
});

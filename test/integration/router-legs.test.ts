import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import type { PdOutcome } from "../../src/core/exchange-report.ts";
import { eventually } from "../fixtures/eventually.ts";
import { HttpEndpoint } from "../fixtures/http-endpoint.ts";
import { endpointsText } from "../fixtures/running-epp.ts";
import { freePorts, RunningProgram } from "../fixtures/running-program.ts";
import { runCli } from "../fixtures/running-up.ts";

const MODEL = "Qwen/Qwen3-0.6B";
const CONFIG = `apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: prefill-header-handler
- type: prefill-filter
- type: decode-filter
- type: max-score-picker
- type: pd-profile-handler
  parameters: { threshold: 0 }
schedulingProfiles:
- name: prefill
  plugins:
  - pluginRef: prefill-filter
  - pluginRef: max-score-picker
- name: decode
  plugins:
  - pluginRef: decode-filter
  - pluginRef: max-score-picker
`;

interface View {
  readonly state: "open" | "closed" | "expired";
  readonly outcome: { readonly pd: PdOutcome };
  readonly prefillEndpoint: string | null;
}
interface Answer {
  readonly status: number;
  readonly text: string;
  readonly prefillEndpoint: string | null;
  readonly pd: PdOutcome;
}

const folder = mkdtempSync(join(tmpdir(), "switchyard-legs-"));
const engines: RunningProgram[] = [];
let prefill: string;
let decode: string;

before(async () => {
  [prefill, decode] = await Promise.all([startEngine(), startEngine()]);
  writeFileSync(join(folder, "pd.yaml"), CONFIG);
});
after(async () => {
  await Promise.all(engines.map((engine) => engine.stop()));
  rmSync(folder, { recursive: true });
});

async function startEngine(): Promise<string> {
  const args = ["engine", "--model", MODEL, "--port=0", "--kv-connector", "--time-scale=20"];
  const engine = await RunningProgram.start(args, MODEL);
  engines.push(engine);
  return /127\.0\.0\.1:\d+/.exec(engine.greeting)?.[0] ?? "";
}

class RunningServe {
  readonly program: RunningProgram;
  readonly url: string;
  readonly admin: string;

  private constructor(program: RunningProgram) {
    this.program = program;
    this.url = /http:[^\s,]+/.exec(program.greeting)?.[0] ?? "";
    this.admin = `http://127.0.0.1:${program.ports[0]}`;
  }

  static async start(prefillAddress: string, ready: number): Promise<RunningServe> {
    const endpoints = join(folder, `endpoints-${prefillAddress.split(":")[1]}.json`);
    const listed = [
      { name: "p", address: prefillAddress, role: "prefill" },
      { name: "d", address: decode, role: "decode" },
    ];
    writeFileSync(endpoints, endpointsText(listed));
    const config = join(folder, "pd.yaml");
    const args = ["serve", "--config", config, "--endpoints", endpoints, "--model", MODEL];
    const ports = ["--port=0", "--admin-port=0", "--pd=router"];
    const serve = new RunningServe(await RunningProgram.start([...args, ...ports], "Router on "));
    while ((await serve.readyCount()) < ready) await new Promise((done) => setTimeout(done, 20));
    return serve;
  }

  async ask(more: object = {}): Promise<Answer> {
    const prompt = "The quick brown fox jumps over the lazy dog. ".repeat(40);
    const response = await fetch(`${this.url}/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: MODEL, prompt, max_tokens: 6, ignore_eos: true, ...more }),
    });
    const text = await response.text();
    const id = response.headers.get("x-switchyard-decision") ?? "";
    for (;;) {
      const decision = await fetch(`${this.admin}/api/decisions/${id}`);
      assert.equal(decision.status, 200, text);
      const view = (await decision.json()) as View;
      const { state, outcome, prefillEndpoint } = view;
      // The decision is closed a moment after the answer's end.
      if (state === "closed") {
        return { status: response.status, text, prefillEndpoint, pd: outcome.pd };
      }
    }
  }

  async readyCount(): Promise<number> {
    const endpoints = await (await fetch(`${this.admin}/api/endpoints`)).json();
    return (endpoints as { isReady: boolean }[]).filter(({ isReady }) => isReady).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program.stop();
  }
}

test("serve --pd router: prefill and decode run on two engines without any sidecar", async () => {
  await using serve = await RunningServe.start(prefill, 2);
  const { status, text, pd, prefillEndpoint } = await serve.ask();
  assert.equal(status, 200);
  assert.deepEqual([pd.outcome, pd.reason, pd.prefillEndpoint], ["remote", null, "p"]);
  assert.equal(prefillEndpoint, "p");
  assert.ok((pd.prefillMs ?? 0) > 0 && (pd.handleBlocks ?? 0) > 0 && (pd.kvBytes ?? 0) > 0);
  assert.match(text, new RegExp(`"cached_tokens":${pd.prefillCachedTokens}`));

  const stream = await serve.ask({ stream: true, stream_options: { include_usage: true } });
  assert.equal(stream.pd.outcome, "remote");
  assert.ok(stream.text.split("\n\n").length > 6 && stream.text.endsWith("data: [DONE]\n\n"));
  // The prompt was cached by then, and the client sees the prefill leg's count.
  assert.ok((stream.pd.prefillCachedTokens ?? 0) > 0);
  assert.match(stream.text, new RegExp(`"cached_tokens":${stream.pd.prefillCachedTokens}`));
  const logged = () => serve.program.lines.filter((line) => line.includes('"prefillEndpoint":"p"'));
  await eventually(() => logged().length === 2);
});

test("serve --pd router: an engine that takes prefill no more is a counted fallback", async () => {
  const own = await startEngine();
  const engine = engines.at(-1);
  await using serve = await RunningServe.start(own, 2);
  assert.equal((await serve.ask()).pd.outcome, "remote");
  await engine?.stop();
  const { status, pd } = await serve.ask({ prompt: "Something else entirely. ".repeat(30) });
  assert.equal(status, 200);
  assert.deepEqual([pd.outcome, pd.reason], ["fallback", "connect-error"]);
  const metrics = await (await fetch(`${serve.admin}/metrics`)).text();
  assert.match(metrics, /^switchyard_pd_fallback_total{reason="connect-error"} 1$/m);
});

test("serve --pd router: a prefill address that is no engine's is seen in the decision and counted", async () => {
  await using other = await HttpEndpoint.start((path) => ({
    status: path === "/health" ? 200 : 404,
    body: "{}",
  }));
  await using serve = await RunningServe.start(other.address, 2);
  const { status, pd } = await serve.ask();
  assert.equal(status, 404);
  assert.deepEqual([pd.outcome, pd.reason, pd.prefillEndpoint], ["refused", "status-404", "p"]);
  const metrics = await (await fetch(`${serve.admin}/metrics`)).text();
  assert.match(metrics, /^switchyard_pd_refusals_total{reason="status-404"} 1$/m);
});

test("serve: flags of the legs need --pd router", async () => {
  const config = join(folder, "pd.yaml");
  const port = await freePorts(1);
  for (const flag of ["--prefill-fallback=error", "--kv-connector=sglang"]) {
    const args = ["serve", "--config", config, "--endpoints", config, `--port=${port}`, flag];
    const { code, stderr } = await runCli(args);
    assert.equal(code, 2);
    assert.match(stderr, new RegExp(`${flag.split("=")[0]} is for --pd router`));
  }
});

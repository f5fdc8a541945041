import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { DEFAULT_CONFIG_TEXT, DEFAULT_PD_CONFIG_TEXT } from "../../src/config/default-config.ts";
import { ENVOY_MISSING, type RunningEnvoy, startEnvoy } from "../fixtures/running-envoy.ts";
import { endpointsText, RunningEpp } from "../fixtures/running-epp.ts";
import { EXAMPLES, RunningUp } from "../fixtures/running-up.ts";

/** Simulated engines, a picker for some of them, and the proxy in front of it. */
interface Rig {
  readonly epp: RunningEpp;
  readonly envoy: RunningEnvoy;
}

const folder = mkdtempSync(join(tmpdir(), "switchyard-envoy-"));
const stack = new AsyncDisposableStack();
stack.defer(() => rmSync(folder, { recursive: true }));
after(() => stack.disposeAsync());

const WAIT = { timeout: 60_000 };
const MODEL = "openai/gpt-oss-20b";
const PD_MODEL = "Qwen/Qwen3-0.6B";

if (ENVOY_MISSING === false) {
  const up = stack.use(
    await RunningUp.start([...EXAMPLES, "--replicas", "gpt-oss-20b=2", "--time-scale", "10"]),
  );
  const plain = await rigFor("gpt-oss-20b", DEFAULT_CONFIG_TEXT);
  const split = await rigFor("qwen-pd", DEFAULT_PD_CONFIG_TEXT);

  async function rigFor(pool: string, config: string): Promise<Rig> {
    const endpoints = up.endpoints.filter((endpoint) => endpoint.pool.includes(pool));
    assert.ok(endpoints.length > 1, `${pool} has endpoints`);
    const file = join(folder, `${pool}.json`);
    writeFileSync(file, endpointsText(endpoints));
    const args = ["--endpoints", file, "--config-text", config, "--health-checking"];
    const epp = stack.use(await RunningEpp.start(args));
    await up.until(async () => (await epp.readyCount()) === endpoints.length);
    return { epp, envoy: stack.use(await startEnvoy(epp.port)) };
  }

  const ask = (rig: Rig, body: unknown, init: RequestInit = {}): Promise<Response> =>
    fetch(`${rig.envoy.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      ...init,
    });
  const chat = (content: string, more: object = {}) => ({
    model: MODEL,
    messages: [{ role: "user", content }],
    max_tokens: 8,
    ...more,
  });
  const isIdle = (): Promise<void> => up.until(async () => (await plain.epp.inFlight()) === 0);

  test("envoy: a request is answered by the endpoint that the picker chose", WAIT, async () => {
    const response = await ask(plain, chat("hello"));
    assert.equal(response.status, 200);
    const { usage } = (await response.json()) as { usage: { completion_tokens: number } };
    assert.equal(usage.completion_tokens, 8);
    const id = response.headers.get("x-switchyard-decision");
    const decision = await plain.epp.admin<{
      endpoint: string;
      outcome: { usage: { completionTokens: number } };
    }>(`/api/decisions/${id}`);
    assert.equal(decision.endpoint, response.headers.get("x-switchyard-endpoint"));
    await isIdle();
    const ended = await plain.epp.admin<typeof decision>(`/api/decisions/${id}`);
    assert.equal(ended.outcome.usage.completionTokens, 8);
  });

  test("envoy: a stream arrives whole, with its usage", WAIT, async () => {
    const body = chat("count", { stream: true, stream_options: { include_usage: true } });
    const text = await (await ask(plain, body)).text();
    const events = text.split("\n\n").filter((event) => event !== "");
    assert.equal(events.at(-1), "data: [DONE]");
    assert.match(events.at(-2) ?? "", /"completion_tokens":8/);
    await isIdle();
  });

  test("envoy: a body of a megabyte reaches the engine as it was", WAIT, async () => {
    const response = await ask(plain, chat("word ".repeat(200_000)));
    // The engine counts the whole prompt, and finds it too long.
    assert.equal(response.status, 400);
    assert.match(await response.text(), /maximum context length.*has 250\d{3} input tokens/);
    await isIdle();
  });

  test("envoy: a request without a body is scheduled too", WAIT, async () => {
    const response = await fetch(`${plain.envoy.url}/v1/models`);
    assert.match(await response.text(), /"id":"openai\/gpt-oss-20b"/);
    assert.notEqual(response.headers.get("x-switchyard-endpoint"), null);
  });

  test("envoy: a refusal is the picker's own answer", WAIT, async () => {
    const response = await ask(plain, { messages: [] });
    assert.equal(response.status, 400);
    assert.match(await response.text(), /"message":"model is missing"/);
  });

  test("envoy: a client that leaves a stream leaves nothing in flight", WAIT, async () => {
    const abort = new AbortController();
    const body = chat("long", { stream: true, max_tokens: 20_000 });
    const response = await ask(plain, body, { signal: abort.signal });
    await response.body?.getReader().read();
    assert.equal(await plain.epp.inFlight(), 1);
    abort.abort();
    await isIdle();
  });

  test("envoy: many exchanges at once all end", WAIT, async () => {
    const asked = Array.from({ length: 400 }, (_, i) =>
      ask(plain, chat(`request ${i}`, { stream: i % 2 === 0 })),
    );
    const answers = await Promise.all(
      asked.map(async (response) => ({
        status: (await response).status,
        text: await (await response).text(),
      })),
    );
    for (const { status, text } of answers) {
      assert.equal(status, 200);
      assert.ok(text.length > 100);
    }
    await isIdle();
  });

  test("envoy: prefill and decode are split through the sidecar", WAIT, async () => {
    const response = await ask(split, { ...chat("tell me more ".repeat(200)), model: PD_MODEL });
    assert.equal(response.status, 200);
    await response.text();
    assert.match(response.headers.get("x-switchyard-prefill-endpoint") ?? "", /prefill/);
    assert.equal(response.headers.get("x-switchyard-pd"), null);
    const id = response.headers.get("x-switchyard-decision");
    type Ended = { outcome: { pd: { outcome: string } | null } | null };
    let ended: Ended | undefined;
    await up.until(async () => {
      ended = await split.epp.admin<Ended>(`/api/decisions/${id}`);
      return ended.outcome !== null;
    });
    assert.equal(ended?.outcome?.pd?.outcome, "remote");
  });

  test("envoy: a client cannot steer the sidecar", WAIT, async () => {
    const headers = { "content-type": "application/json", "x-prefiller-host-port": "127.0.0.1:1" };
    const body = { ...chat("steer"), model: PD_MODEL };
    const response = await ask(split, body, { headers });
    assert.equal(response.status, 200);
    await response.text();
  });

  test(
    "envoy: an engine that dies in a stream cuts it, and the pool without engines is 503",
    WAIT,
    async () => {
      const response = await ask(plain, chat("long", { stream: true, max_tokens: 20_000 }));
      const endpoint = response.headers.get("x-switchyard-endpoint") ?? "";
      const reader = response.body?.getReader();
      await reader?.read();
      await up.control(endpoint, "kill");
      await assert.rejects(async () => {
        while ((await reader?.read())?.done === false);
      });
      await isIdle();
      const others = up.endpoints.filter(
        ({ name, pool }) => pool.includes("gpt-oss-20b") && name !== endpoint,
      );
      for (const { name } of others) await up.control(name, "kill");
      await up.until(async () => (await plain.epp.readyCount()) === 0);
      const refused = await ask(plain, chat("anybody"));
      assert.equal(refused.status, 503);
      assert.equal(refused.headers.get("retry-after"), "1");
      assert.match(await refused.text(), /"code":"no_endpoints"/);
      await up.control(endpoint, "start");
      await up.until(async () => (await plain.epp.readyCount()) === 1);
      assert.equal((await ask(plain, chat("again"))).status, 200);
    },
  );

  test("envoy: the picker ends by SIGTERM with code 0", WAIT, async () => {
    assert.equal(await split.epp.stop(), 0);
  });
} else {
  test("envoy: the real proxy", { skip: ENVOY_MISSING }, () => undefined);
}

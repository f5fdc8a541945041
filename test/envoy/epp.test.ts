import assert from "node:assert/strict";
import test, { after } from "node:test";
import { DEFAULT_CONFIG_TEXT, DEFAULT_PD_CONFIG_TEXT } from "../../src/config/default-config.ts";
import { EnvoyRig } from "../fixtures/envoy-rig.ts";
import { ENVOY_MISSING } from "../fixtures/running-envoy.ts";
import { EXAMPLES, RunningUp } from "../fixtures/running-up.ts";

const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());

/** Nothing but the limit ends such an answer: tens of seconds. */
const ENDLESS = { max_tokens: 20_000, ignore_eos: true };

const WAIT = { timeout: 60_000 };
const MODEL = "openai/gpt-oss-20b";
const PD_MODEL = "Qwen/Qwen3-0.6B";

if (ENVOY_MISSING === false) {
  const up = stack.use(
    await RunningUp.start([...EXAMPLES, "--replicas", "gpt-oss-20b=2", "--time-scale", "10"]),
  );
  const plain = await rigFor("gpt-oss-20b", DEFAULT_CONFIG_TEXT);
  const split = await rigFor("qwen-pd", DEFAULT_PD_CONFIG_TEXT);

  async function rigFor(pool: string, config: string): Promise<EnvoyRig> {
    const endpoints = up.endpoints.filter((endpoint) => endpoint.pool.includes(pool));
    assert.ok(endpoints.length > 1, `${pool} has endpoints`);
    return stack.use(await EnvoyRig.start({ endpoints, config }));
  }

  const chat = (content: string, more: object = {}) => ({
    model: MODEL,
    messages: [{ role: "user", content }],
    max_tokens: 8,
    ...more,
  });
  const isIdle = (): Promise<void> => up.until(async () => (await plain.epp.inFlight()) === 0);

  test("envoy: a request is answered by the endpoint that the picker chose", WAIT, async () => {
    const response = await plain.ask(chat("hello"));
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
    const text = await (await plain.ask(body)).text();
    const events = text.split("\n\n").filter((event) => event !== "");
    assert.equal(events.at(-1), "data: [DONE]");
    assert.match(events.at(-2) ?? "", /"completion_tokens":8/);
    await isIdle();
  });

  test("envoy: a body of a megabyte reaches the engine as it was", WAIT, async () => {
    const response = await plain.ask(chat("word ".repeat(200_000)));
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
    const response = await plain.ask({ messages: [] });
    assert.equal(response.status, 400);
    assert.match(await response.text(), /"message":"model is missing"/);
  });

  test("envoy: a client that leaves a stream leaves nothing in flight", WAIT, async () => {
    const abort = new AbortController();
    const body = chat("long", { ...ENDLESS, stream: true });
    const response = await plain.ask(body, { signal: abort.signal });
    assert.equal(response.status, 200);
    await response.body?.getReader().read();
    assert.equal(await plain.epp.inFlight(), 1);
    abort.abort();
    await isIdle();
  });

  test("envoy: a thousand exchanges at once all end", WAIT, async () => {
    const asked = Array.from({ length: 1000 }, (_, i) =>
      plain.ask(chat(`request ${i}`, { stream: i % 2 === 0 })),
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
    const response = await split.ask({ ...chat("tell me more ".repeat(200)), model: PD_MODEL });
    assert.equal(response.status, 200);
    await response.text();
    assert.match(response.headers.get("x-switchyard-prefill-endpoint") ?? "", /prefill/);
    assert.equal(response.headers.get("x-switchyard-pd"), null);
    type Ended = { outcome: { pd: { outcome: string } | null } | null };
    const ended = await split.decisionOf<Ended>(response);
    assert.equal(ended.outcome?.pd?.outcome, "remote");
  });

  test("envoy: a client cannot steer the sidecar", WAIT, async () => {
    const headers = { "content-type": "application/json", "x-prefiller-host-port": "127.0.0.1:1" };
    const body = { ...chat("steer"), model: PD_MODEL };
    const response = await split.ask(body, { headers });
    assert.equal(response.status, 200);
    await response.text();
  });

  test(
    "envoy: an engine that dies cuts its stream or is 503, and so is the pool without engines",
    WAIT,
    async () => {
      const engines = up.endpoints.filter(({ pool }) => pool.includes("gpt-oss-20b"));
      const response = await plain.ask(chat("long", { ...ENDLESS, stream: true }));
      const endpoint = response.headers.get("x-switchyard-endpoint") ?? "";
      const reader = response.body?.getReader();
      await reader?.read();
      await up.control(endpoint, "kill");
      await assert.rejects(async () => {
        while ((await reader?.read())?.done === false);
      });
      await isIdle();
      await up.until(async () => (await plain.epp.readyCount()) === 1);
      const whole = plain.ask(chat("long", ENDLESS));
      await up.until(async () => (await plain.epp.inFlight()) === 1);
      for (const { name } of engines) await up.control(name, "kill");
      assert.equal((await whole).status, 503);
      await isIdle();
      await up.until(async () => (await plain.epp.readyCount()) === 0);
      const refused = await plain.ask(chat("anybody"));
      assert.equal(refused.status, 503);
      assert.equal(refused.headers.get("retry-after"), "1");
      assert.match(await refused.text(), /"code":"no_endpoints"/);
      await up.control(endpoint, "start");
      await up.until(async () => (await plain.epp.readyCount()) === 1);
      assert.equal((await plain.ask(chat("again"))).status, 200);
    },
  );

  test("envoy: the picker ends by SIGTERM with code 0", WAIT, async () => {
    assert.equal(await split.epp.stop(), 0);
  });
} else {
  test("envoy: the real proxy", { skip: ENVOY_MISSING }, () => undefined);
}

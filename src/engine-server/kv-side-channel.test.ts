import assert from "node:assert/strict";
import { test } from "node:test";
import { engineFor, jsonOf, post, SteppedClock, until } from "./engine-fixture.test.ts";

test("kv-side-channel: offers reserve the card in turn, and a release is final", async (t) => {
  const clock = new SteppedClock();
  const server = await engineFor(t, { clock, timeScale: 1, isKvConnectorEnabled: true });
  const asked = post(server, "/v1/completions", {
    prompt: "x".repeat(400),
    max_tokens: 1,
    kv_transfer_params: { do_remote_decode: true },
  });
  await until(() => server.counts()?.sequences === 1);
  clock.advance(1000);
  const params = (await jsonOf(await asked)).kv_transfer_params ?? {};
  const base = `http://127.0.0.1:${params["remote_port"]}/kv`;
  const url = `${base}/${params["remote_request_id"]}`;
  const ask = async (query: string): Promise<unknown> => (await fetch(`${url}${query}`)).json();

  const facts = { engineId: params["remote_engine_id"], tokenCount: 100, blockCount: 7 };
  // 48.5 GB/s after 1 ms of set-up.
  const durationUs = 1000 + 485e6 / 48.5e3;
  assert.deepEqual(await ask(""), { ...facts, waitUs: 0, transferUs: 0 });
  for (const waitUs of [0, durationUs, 2 * durationUs]) {
    const want = { ...facts, waitUs, transferUs: durationUs };
    assert.deepEqual(await ask("?bytes=485000000"), want);
  }
  const statusOf = async (target: string, method: string): Promise<number> =>
    (await fetch(target, { method })).status;
  assert.equal(await statusOf(url, "POST"), 405);
  assert.equal(await statusOf(`${base}/%ff`, "GET"), 404);
  assert.equal(await statusOf(`${base}/nobody`, "GET"), 409);
  assert.equal(await statusOf(url, "DELETE"), 204);
  assert.equal(await statusOf(url, "DELETE"), 404);
  assert.equal(await statusOf(url, "GET"), 409);
});

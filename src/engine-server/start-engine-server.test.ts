import assert from "node:assert/strict";
import { test } from "node:test";
import { engineFor, metricsOf, post, SteppedClock, until } from "./engine-fixture.test.ts";
import type { KvEventBatch } from "./kv-event-publisher.ts";

const LONG_PROMPT = "The river follows the garden before the market. ".repeat(40);
const LONG_TOKENS = LONG_PROMPT.length / 4;

test("engine-server: a client that leaves is taken out of the engine", async (t) => {
  const clock = new SteppedClock();
  const server = await engineFor(t, { clock, timeScale: 1 });
  const controller = new AbortController();
  const asked = fetch(`http://${server.address}/v1/completions`, {
    method: "POST",
    body: JSON.stringify({ prompt: "a", n: 2, max_tokens: 8000, ignore_eos: true, stream: true }),
    signal: controller.signal,
  });
  await until(() => server.counts()?.sequences === 2);
  clock.advance(50);
  const answer = await asked;
  const reader = answer.body?.getReader();
  await reader?.read();
  assert.equal(server.counts()?.gauges.runningRequests, 2);
  controller.abort();
  await until(() => server.counts()?.connections === 0);
  clock.advance(50);
  await until(() => server.counts()?.sequences === 0);
  const gauges = server.counts()?.gauges;
  assert.equal(gauges?.runningRequests, 0);
  assert.equal(gauges?.kvCacheUsage, 0);
  const metrics = await metricsOf(server);
  assert.equal(metrics.get('request_success_total{finished_reason="abort"}'), 2);
});

test("engine-server: tokens of a stream come when their time has come", async (t) => {
  const clock = new SteppedClock();
  const server = await engineFor(t, { clock, timeScale: 1 });
  const asked = post(server, "/v1/completions", { prompt: "a", max_tokens: 500, stream: true });
  await until(() => server.counts()?.sequences === 1);
  clock.advance(100);
  const reader = (await asked).body?.getReader();
  let text = "";
  // The clock stands still, so what comes is what the engine has said by this time.
  const early = (await metricsOf(server)).get("generation_tokens_total") ?? 0;
  assert.ok(early > 10 && early < 500, `${early} tokens after 100 ms`);
  while (text.split("data: ").length - 1 < early) {
    text += Buffer.from((await reader?.read())?.value ?? []).toString();
  }
  assert.equal(text.split("data: ").length - 1, early);
  clock.advance(60_000);
  for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) {
    text += Buffer.from(part.value).toString();
  }
  assert.match(text, /data: \[DONE\]\n\n$/);
});

test("engine-server: kill resets connections and forgets the cache, restart keeps the address", async (t) => {
  const clock = new SteppedClock();
  const server = await engineFor(t, { clock, timeScale: 1 });
  const { address } = server;
  const warm = async (): Promise<number> => {
    const before = server.counts()?.gauges.prefixCacheHits ?? 0;
    const asked = post(server, "/v1/completions", { prompt: LONG_PROMPT, max_tokens: 1 });
    await until(() => server.counts()?.sequences === 1);
    clock.advance(1000);
    await (await asked).text();
    return (server.counts()?.gauges.prefixCacheHits ?? 0) - before;
  };
  assert.equal(await warm(), 0);
  assert.ok((await warm()) > 0);

  const cut = post(server, "/v1/completions", { prompt: "a", max_tokens: 100, stream: true });
  await until(() => server.counts()?.sequences === 1);
  const [killed] = await Promise.all([server.kill(), assert.rejects(cut)]);
  assert.equal(killed, undefined);
  assert.equal(server.isRunning, false);
  assert.equal(server.counts(), undefined);
  await assert.rejects(fetch(`http://${address}/health`));
  await server.kill();

  await server.restart();
  await server.restart();
  assert.equal(server.address, address);
  assert.equal((await fetch(`http://${address}/health`)).status, 200);
  assert.equal(await warm(), 0);
});

test("engine-server: a taken port is an error", async (t) => {
  const server = await engineFor(t);
  await assert.rejects(engineFor(t, { port: server.port }), { code: "EADDRINUSE" });
});

test("engine-server: metrics count what was served", async (t) => {
  const server = await engineFor(t);
  const prompt = LONG_PROMPT;
  for (let round = 0; round < 2; round++) {
    await (await post(server, "/v1/completions", { prompt, max_tokens: 10 })).text();
  }
  const metrics = await metricsOf(server);
  const prompts = 2 * LONG_TOKENS;
  const hits = Math.floor((LONG_TOKENS - 1) / 16) * 16;
  const want: readonly [string, number][] = [
    ["num_requests_running", 0],
    ["num_requests_waiting", 0],
    ["kv_cache_usage_perc", 0],
    ["prefix_cache_queries_total", prompts],
    ["prefix_cache_hits_total", hits],
    ["num_preemptions_total", 0],
    ["prompt_tokens_total", prompts],
    ["generation_tokens_total", 20],
    ['request_success_total{finished_reason="length"}', 2],
    ['request_success_total{finished_reason="abort"}', 0],
    ["time_to_first_token_seconds_count", 2],
    ['time_to_first_token_seconds_bucket{le="2560"}', 2],
    ["inter_token_latency_seconds_count", 18],
    ["e2e_request_latency_seconds_count", 2],
    ["request_queue_time_seconds_count", 2],
    ["request_prompt_tokens_sum", prompts],
    ['request_prompt_tokens_bucket{le="5000"}', 2],
    ['request_generation_tokens_bucket{le="10"}', 2],
    ['request_generation_tokens_bucket{le="5"}', 0],
  ];
  for (const [name, value] of want) assert.equal(metrics.get(name), value, name);
  // Engine seconds, not wall seconds: 480 prompt tokens take some milliseconds on an H100.
  const ttft = metrics.get("time_to_first_token_seconds_sum") ?? 0;
  assert.ok(ttft > 0.002 && ttft < 0.1, `${ttft} s`);
  const info = [...metrics.keys()].find((name) => name.startsWith("cache_config_info"));
  assert.match(info ?? "", /block_size="16",num_gpu_blocks="\d+"/);
  assert.ok(![...metrics.keys()].some((name) => name.startsWith("nixl")));
});

test("engine-server: KV events come in numbered batches with the tokens of their blocks", async (t) => {
  const batches: KvEventBatch[] = [];
  const server = await engineFor(
    t,
    { onKvEvents: (batch) => batches.push(batch) },
    { isKvEventsEnabled: true },
  );
  for (const prompt of ["a".repeat(640), "b".repeat(640)]) {
    await (await post(server, "/v1/completions", { prompt, max_tokens: 1 })).text();
  }
  const stored = (): number =>
    batches
      .flatMap((batch) => batch.events)
      .reduce((sum, event) => sum + (event.kind === "stored" ? event.blockHashes.length : 0), 0);
  await until(() => stored() === 20);
  assert.deepEqual(
    batches.map((batch) => batch.sequence),
    batches.map((_, index) => index),
  );
  const [first] = batches[0]?.events ?? [];
  assert.ok(first?.kind === "stored");
  assert.equal(first.tokenIds.length, first.blockHashes.length * 16);
  assert.equal(first.tokenIds[0], 0x61616161);
});

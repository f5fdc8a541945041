import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { EngineSettings } from "../engine/engine-config.ts";
import {
  clientOf,
  engineFor,
  JumpingClock,
  jsonOf,
  metricsOf,
  post,
  SteppedClock,
  until,
} from "./engine-fixture.test.ts";
import type { KvLink } from "./kv-link.ts";
import type { EngineServer, EngineServerOptions } from "./start-engine-server.ts";

const PROMPT = "Every quiet station guides a lantern and a bridge. ".repeat(80);
const PROMPT_TOKENS = PROMPT.length / 4;
/** Qwen3-0.6B: 28 layers, key and value, 8 heads of 128 in bf16. */
const KV_BYTES_PER_TOKEN = 28 * 2 * 8 * 128 * 2;

interface Pair {
  readonly prefill: EngineServer;
  readonly decode: EngineServer;
}

async function pairFor(
  t: TestContext,
  options: Partial<EngineServerOptions> = {},
  settings: Partial<EngineSettings> = {},
): Promise<Pair> {
  const shared = { clock: new JumpingClock(), isKvConnectorEnabled: true, ...options };
  const prefill = await engineFor(t, { ...shared, name: "prefill-0" }, settings);
  const decode = await engineFor(t, { ...shared, name: "decode-0" }, settings);
  return { prefill, decode };
}

async function prefillOf(
  server: EngineServer,
  prompt: string = PROMPT,
): Promise<Readonly<Record<string, unknown>>> {
  const answer = await post(server, "/v1/completions", {
    prompt,
    max_tokens: 1,
    kv_transfer_params: { do_remote_decode: true, do_remote_prefill: false },
  });
  const { kv_transfer_params: params } = await jsonOf(answer);
  assert.ok(params !== null);
  return params;
}

function decodeOf(server: EngineServer, params: unknown, more: object = {}): Promise<Response> {
  const body = { prompt: PROMPT, max_tokens: 8, kv_transfer_params: params, ...more };
  return post(server, "/v1/completions", body);
}

function costOf(answer: Response): { bytes: number; ms: number; handshakeMs: number } {
  const header = answer.headers.get("x-switchyard-kv") ?? "";
  const [, bytes, ms, handshakeMs] =
    /^bytes=(\d+); ms=(\d+(?:\.\d{1,3})?); handshake-ms=(\d+(?:\.\d{1,3})?)$/.exec(header) ?? [];
  return { bytes: Number(bytes), ms: Number(ms), handshakeMs: Number(handshakeMs) };
}

const heldBlocks = (server: EngineServer): number | undefined => server.counts()?.gauges.heldBlocks;

test("kv-loader: a prefill answer names the blocks that the engine holds", async (t) => {
  const { prefill } = await pairFor(t);
  const params = await prefillOf(prefill);
  const blocks = Math.ceil(PROMPT_TOKENS / 16);
  assert.equal(params["do_remote_prefill"], true);
  assert.equal(params["do_remote_decode"], false);
  assert.equal((params["remote_block_ids"] as number[]).length, blocks);
  assert.equal(params["remote_num_tokens"], PROMPT_TOKENS);
  assert.equal(params["tp_size"], 1);
  assert.equal(params["remote_host"], "127.0.0.1");
  assert.notEqual(params["remote_port"], prefill.port);
  assert.equal(heldBlocks(prefill), blocks);
});

test("kv-loader: decode fetches the blocks once, pays the handshake once and frees the holder", async (t) => {
  const { prefill, decode } = await pairFor(t);
  const local = await jsonOf(await decodeOf(await engineFor(t), null));
  const answer = await decodeOf(decode, await prefillOf(prefill));
  const json = await jsonOf(answer);
  assert.equal(json.choices[0]?.text, local.choices[0]?.text);
  assert.equal(json.usage.prompt_tokens_details.cached_tokens, 0);
  assert.equal(json.kv_transfer_params, null);
  const first = costOf(answer);
  assert.equal(first.bytes, PROMPT_TOKENS * KV_BYTES_PER_TOKEN);
  assert.equal(first.handshakeMs, 50);
  // 400 Gbit/s at 97 % after 1 ms of set-up.
  assert.equal(first.ms, Math.round(1000 + first.bytes / 48_500) / 1000);
  await until(() => heldBlocks(prefill) === 0);

  const other = PROMPT.toUpperCase();
  const second = costOf(await decodeOf(decode, await prefillOf(prefill, other), { prompt: other }));
  assert.equal(second.handshakeMs, 0);
  const metrics = await metricsOf(decode);
  assert.equal(metrics.get("nixl_bytes_transferred_count"), 2);
  assert.equal(metrics.get("nixl_bytes_transferred_sum"), first.bytes + second.bytes);
  const seconds = metrics.get("nixl_xfer_time_seconds_sum") ?? 0;
  assert.ok(Math.abs(seconds - (first.ms + second.ms) / 1000) < 1e-5);
});

test("kv-loader: a stream carries the cost of its load in its head", async (t) => {
  const { prefill, decode } = await pairFor(t);
  const answer = await decodeOf(decode, await prefillOf(prefill), { stream: true });
  assert.ok(costOf(answer).bytes > 0);
  assert.match(await answer.text(), /data: \[DONE\]\n\n$/);
});

test("kv-loader: a prompt that is cached here moves nothing and frees the holder at once", async (t) => {
  const clock = new SteppedClock();
  const prefill = await engineFor(t, { isKvConnectorEnabled: true });
  const decode = await engineFor(t, { clock, timeScale: 1, isKvConnectorEnabled: true });
  const prompt = PROMPT.slice(0, 16 * 4 * 10);
  const decoded = async (params: unknown, isHolderWatched: boolean): Promise<Response> => {
    const asked = decodeOf(decode, params, { prompt });
    await until(() => decode.counts()?.sequences === 1);
    clock.advance(1);
    // The answer needs many milliseconds more of a clock that stands.
    if (isHolderWatched) await until(() => heldBlocks(prefill) === 0);
    assert.equal(decode.counts()?.sequences, 1);
    clock.advance(1000);
    return asked;
  };
  await (await decoded(null, false)).text();
  const answer = await decoded(await prefillOf(prefill, prompt), true);
  assert.equal(answer.headers.get("x-switchyard-kv"), null);
  assert.ok((await jsonOf(answer)).usage.prompt_tokens_details.cached_tokens > 0);
});

test("kv-loader: two loads at one time share the card one after the other", async (t) => {
  const clock = new SteppedClock();
  const shared = { link: { kind: "tcp" }, isKvConnectorEnabled: true } as const;
  const prefill = await engineFor(t, shared);
  const decode = await engineFor(t, { ...shared, clock, timeScale: 1 });
  const other = PROMPT.toUpperCase();
  const [one, two] = [await prefillOf(prefill), await prefillOf(prefill, other)];
  const asked = [decodeOf(decode, one), decodeOf(decode, two, { prompt: other })];
  await until(() => decode.counts()?.sequences === 2);
  await until(() => {
    clock.advance(100);
    return decode.counts()?.sequences === 0;
  });
  const costs = (await Promise.all(asked)).map(costOf);
  const alone = 5 + (PROMPT_TOKENS * KV_BYTES_PER_TOKEN) / 0.55e6;
  const times = costs.map((cost) => cost.ms).sort((a, b) => a - b);
  assert.ok(Math.abs(Number(times[0]) - alone) < 0.002, `${times[0]} ms, alone ${alone} ms`);
  assert.ok(Math.abs(Number(times[1]) - 2 * alone) < 0.002, `${times[1]} ms, alone ${alone} ms`);
  assert.deepEqual(
    costs.map((cost) => cost.handshakeMs),
    [50, 50],
  );
});

test("kv-loader: tcp takes many times longer than rdma", async (t) => {
  const times: number[] = [];
  for (const kind of ["rdma", "tcp"] as const) {
    const { prefill, decode } = await pairFor(t, { link: { kind } });
    times.push(costOf(await decodeOf(decode, await prefillOf(prefill))).ms);
  }
  const [rdma = 0, tcp = 0] = times;
  assert.ok(rdma > 0 && tcp > 20 * rdma, `rdma ${rdma} ms, tcp ${tcp} ms`);
});

const NO_LINK: KvLink = { kind: "none", reason: "UCX_TLS names no transport between hosts" };

test("kv-loader: what cannot be loaded fails the request or is computed again, by policy", async (t) => {
  const missing = {
    do_remote_prefill: true,
    remote_request_id: "nobody",
    remote_host: "127.0.0.1",
  };
  const cases: readonly {
    readonly name: string;
    readonly options: Partial<EngineServerOptions>;
    readonly params: (prefill: EngineServer, held: object) => object;
    readonly reason: RegExp;
  }[] = [
    {
      name: "no link",
      options: { link: NO_LINK },
      params: (_prefill, held) => held,
      reason: /^KV load failed: UCX_TLS names no transport between hosts$/,
    },
    {
      name: "unknown handle",
      options: {},
      params: (_prefill, held) => ({ ...held, remote_request_id: "nobody" }),
      reason: /^KV load failed: .* the blocks are unknown or expired$/,
    },
    {
      name: "a peer that is no engine",
      options: {},
      params: (prefill) => ({ ...missing, remote_port: prefill.port }),
      reason: /^KV load failed: .* answered 404/,
    },
    {
      name: "unreachable peer",
      options: {},
      // The discard port: nothing listens there.
      params: () => ({ ...missing, remote_port: 9 }),
      reason: /^KV load failed: cannot reach 127\.0\.0\.1:9: /,
    },
  ];
  for (const { name, options, params, reason } of cases) {
    for (const stream of [false, true]) {
      const { prefill, decode } = await pairFor(t, options);
      const answer = await decodeOf(decode, params(prefill, await prefillOf(prefill)), { stream });
      assert.equal(answer.status, 500, name);
      const { error } = await jsonOf(answer);
      assert.equal(error.type, "InternalServerError");
      assert.match(error.message, reason);
      const metrics = await metricsOf(decode);
      assert.equal(metrics.get("nixl_num_failed_transfers_total"), 1);
      assert.equal(metrics.get('request_success_total{finished_reason="error"}'), 1);
      assert.equal(metrics.get("kv_cache_usage_perc"), 0);
    }
    const { prefill, decode } = await pairFor(t, options, { kvLoadFailurePolicy: "recompute" });
    const answer = await decodeOf(decode, params(prefill, await prefillOf(prefill)));
    assert.equal(answer.status, 200, name);
    assert.equal(answer.headers.get("x-switchyard-kv"), null);
    assert.equal((await jsonOf(answer)).usage.completion_tokens, 8);
  }
});

test("kv-loader: blocks expire when nobody fetches them", async (t) => {
  const clock = new JumpingClock();
  const { prefill, decode } = await pairFor(t, { clock });
  const params = await prefillOf(prefill);
  clock.jump(1.1e9);
  assert.equal(heldBlocks(prefill), 0);
  const answer = await decodeOf(decode, params);
  assert.equal(answer.status, 500);
  assert.match((await jsonOf(answer)).error.message, /unknown or expired/);
});

test("kv-loader: a killed holder has forgotten its blocks", async (t) => {
  const { prefill, decode } = await pairFor(t);
  const params = await prefillOf(prefill);
  await prefill.kill();
  await prefill.restart();
  const answer = await decodeOf(decode, params);
  assert.equal(answer.status, 500);
  assert.match((await jsonOf(answer)).error.message, /^KV load failed: /);
});

test("kv-loader: a client that leaves during the load frees the holder's blocks", async (t) => {
  const clock = new SteppedClock();
  const prefillClock = new JumpingClock();
  const prefill = await engineFor(t, { clock: prefillClock, isKvConnectorEnabled: true });
  const options = { clock, timeScale: 1, isKvConnectorEnabled: true };
  const decode = await engineFor(t, options);
  const params = await prefillOf(prefill);
  const controller = new AbortController();
  const asked = fetch(`http://${decode.address}/v1/completions`, {
    method: "POST",
    body: JSON.stringify({ prompt: PROMPT, kv_transfer_params: params }),
    signal: controller.signal,
  });
  await until(() => decode.counts()?.sequences === 1);
  clock.advance(1);
  // The handshake alone takes 50 ms of a clock that stands.
  await until(() => (decode.counts()?.gauges.kvCacheUsage ?? 0) > 0);
  controller.abort();
  await assert.rejects(asked);
  await until(() => decode.counts()?.connections === 0);
  clock.advance(10);
  await until(() => decode.counts()?.sequences === 0);
  await until(() => heldBlocks(prefill) === 0);
  assert.equal(decode.counts()?.gauges.kvCacheUsage, 0);
});

test("kv-loader: an answer that stopped by itself keeps nothing", async (t) => {
  const { prefill } = await pairFor(t);
  const answer = await post(prefill, "/v1/chat/completions", {
    messages: [{ role: "user", content: "count" }],
    kv_transfer_params: { do_remote_decode: true },
  });
  const json = await jsonOf(answer);
  assert.equal(json.choices[0]?.finish_reason, "stop");
  assert.equal(json.kv_transfer_params, null);
  assert.equal(heldBlocks(prefill), 0);
});

test("kv-loader: parameters without a source are computed locally", async (t) => {
  const { decode } = await pairFor(t);
  const answer = await decodeOf(decode, { do_remote_prefill: true, remote_block_ids: null });
  assert.equal(answer.status, 200);
});

test("kv-loader: without a connector KV parameters are ignored", async (t) => {
  const server = await engineFor(t);
  for (const params of [{ do_remote_decode: true }, { do_remote_prefill: true }]) {
    const answer = await clientOf(server).completions.create({
      model: "qwen",
      prompt: PROMPT,
      max_tokens: 1,
      ...{ kv_transfer_params: params },
    });
    assert.ok(!("kv_transfer_params" in answer));
  }
  assert.equal(heldBlocks(server), 0);
});

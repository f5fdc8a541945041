import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { request as send, type Dispatcher as Undici } from "undici";
import {
  type Answer,
  BODY,
  CHAT,
  deadAddress,
  decoded,
  Engine,
  HANDLE,
  json,
  prefilled,
} from "../sidecar/sidecar-rig.test.ts";
import { connectTo, type Rig, type RigOptions, startRig, targetAt } from "./dispatch-rig.test.ts";

const DECODE = `${BODY.slice(0, -1)},"kv_transfer_params":${HANDLE}}`;

/** A router that runs both legs; slots of prefill endpoints are 4 and up. */
function legsRig(
  decode: string,
  prefill: readonly string[],
  options: RigOptions = {},
): Promise<Rig> {
  return startRig(decode, {
    ...options,
    plan: {
      legs: "router",
      prefill: prefill.map((address, index) => targetAt(address, 4 + index)),
      setHeaders: new Map([
        ["x-prefiller-host-port", prefill.join()],
        ["x-kept", "1"],
      ]),
    },
  });
}

function post(rig: Rig, path = CHAT): Promise<Undici.ResponseData> {
  return send(`http://${rig.address}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: BODY,
  });
}

test("router-legs: prefill runs on one endpoint and decode on the other, with its handle", async () => {
  await using prefill = await Engine.start(prefilled);
  await using decode = await Engine.start(
    json('{"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":8}}}', 200, {
      "x-switchyard-kv": "bytes=512; ms=3; handshake-ms=1",
    }),
  );
  await using rig = await legsRig(decode.address, [prefill.address]);
  const answer = await post(rig, `${CHAT}?a=1`);
  assert.equal(answer.headers["x-switchyard-prefill-endpoint"], "engine-4");
  assert.equal(answer.headers["x-switchyard-pd"], undefined);
  assert.match(await answer.body.text(), /"cached_tokens":4/);
  const { outcome, prefillEndpoint } = await rig.nextReport();
  assert.equal(prefillEndpoint, "engine-4");
  const { prefillMs, ...pd } = outcome.pd ?? {};
  assert.ok((prefillMs ?? 0) > 0);
  assert.deepEqual(pd, {
    outcome: "remote",
    reason: null,
    prefillEndpoint: "engine-4",
    handleBlocks: 2,
    kvBytes: 512,
    kvMs: 3,
    kvHandshakeMs: 1,
    prefillCachedTokens: 4,
    decodeCachedTokens: 8,
  });
  assert.equal(decode.received[0]?.body, DECODE);
  for (const { received } of [prefill, decode]) {
    const [leg] = received;
    assert.equal(leg?.path, `${CHAT}?a=1`);
    assert.equal(leg?.headers["x-prefiller-host-port"], undefined);
    assert.equal(leg?.headers["x-kept"], "1");
    assert.equal(leg?.headers["x-request-id"], "req-1");
  }
  assert.deepEqual(rig.core.calls, ["firstByte 7", "end 7 completed"]);
});

test("router-legs: a stream passes event by event with the prefill leg's cached tokens", async () => {
  const { promise: seen, resolve: goOn } = Promise.withResolvers<void>();
  await using prefill = await Engine.start(prefilled);
  await using decode = await Engine.start((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write('data: {"usage":null}\n\n');
    seen.then(() => {
      response.end('data: {"usage":{"prompt_tokens_details":{"cached_tokens":8}}}\n\n');
    }, assert.fail);
  });
  await using rig = await legsRig(decode.address, [prefill.address]);
  const answer = await post(rig);
  let text = "";
  for await (const part of answer.body) {
    text += String(part);
    goOn();
  }
  assert.match(text, /"cached_tokens":4/);
  const { outcome } = await rig.nextReport();
  assert.equal(outcome.chunkCount, 2);
  assert.deepEqual([outcome.pd?.prefillCachedTokens, outcome.pd?.decodeCachedTokens], [4, 8]);
});

test("router-legs: a retry of the decode leg keeps the handle", async () => {
  await using prefill = await Engine.start(prefilled);
  await using busy = await Engine.start(json("{}", 503));
  await using decode = await Engine.start(decoded);
  const fallbacks = [targetAt(busy.address, 1), targetAt(decode.address, 2)];
  await using rig = await legsRig(await deadAddress(), [prefill.address], { fallbacks });
  const answer = await post(rig);
  assert.equal(answer.statusCode, 200);
  await answer.body.dump();
  const { outcome, endpoint } = await rig.nextReport();
  assert.equal(endpoint, "engine-2");
  assert.deepEqual(outcome.retryReasons, ["connect-failed", "engine-busy"]);
  assert.equal(outcome.pd?.outcome, "remote");
  assert.equal(prefill.received.length, 1);
  assert.equal(busy.received[0]?.body, DECODE);
  assert.equal(decode.received[0]?.body, DECODE);
});

test("router-legs: the next prefill endpoint is tried, a dead one is reported, a third is not asked", async () => {
  await using second = await Engine.start(json("{}", 500));
  await using third = await Engine.start(prefilled);
  await using decode = await Engine.start(decoded);
  const prefill = [await deadAddress(), second.address, third.address];
  await using rig = await legsRig(decode.address, prefill);
  const answer = await post(rig);
  assert.equal(answer.headers["x-switchyard-prefill-endpoint"], undefined);
  await answer.body.dump();
  const { outcome } = await rig.nextReport();
  assert.deepEqual([outcome.pd?.outcome, outcome.pd?.reason], ["fallback", "engine-error"]);
  assert.equal(decode.received[0]?.body, BODY);
  assert.equal(second.received.length, 1);
  assert.equal(third.received.length, 0);
  assert.equal(rig.core.calls[0], "health 4 false");
});

test("router-legs: a 4xx of the prefill leg is the answer", async () => {
  await using prefill = await Engine.start(json('{"error":"too long"}', 400));
  await using decode = await Engine.start(decoded);
  await using rig = await legsRig(decode.address, [prefill.address]);
  const answer = await post(rig);
  assert.equal(answer.statusCode, 400);
  assert.equal(await answer.body.text(), '{"error":"too long"}');
  assert.equal(decode.received.length, 0);
  const report = await rig.nextReport();
  const { how, outcome } = report;
  assert.deepEqual(
    [how, outcome.pd?.outcome, outcome.pd?.reason],
    ["completed", "refused", "status-400"],
  );
});

const faults: readonly (readonly [answer: Answer | undefined, how: string, status: number])[] = [
  [undefined, "connect-failed", 502],
  [(response) => response.destroy(), "connection-lost", 502],
  [() => undefined, "timeout", 504],
  [json("{}", 500), "engine-error", 502],
  [json("<html>"), "engine-error", 502],
];
for (const [bad, how, status] of faults) {
  test(`router-legs: without fallback a failed prefill leg ends the request as ${how}, ${status}`, async () => {
    await using prefill = await Engine.start(bad ?? prefilled);
    await using decode = await Engine.start(decoded);
    const address = bad === undefined ? await deadAddress() : prefill.address;
    const prefillTimeoutMs = how === "timeout" ? 50 : 10_000;
    const legs = { fallback: "error", prefillTimeoutMs } as const;
    await using rig = await legsRig(decode.address, [address], { legs });
    const answer = await post(rig);
    assert.equal(answer.statusCode, status);
    assert.match(await answer.body.text(), /"prefill failed: [a-z-]+"/);
    assert.equal((await rig.nextReport()).how, how);
    assert.equal(decode.received.length, 0);
  });
}

for (const leg of ["prefill", "decode"] as const) {
  test(`router-legs: a client that leaves ends the ${leg} leg at once`, async () => {
    const asked = Promise.withResolvers<void>();
    const silent: Answer = () => asked.resolve();
    await using prefill = await Engine.start(leg === "prefill" ? silent : prefilled);
    await using decode = await Engine.start(silent);
    await using rig = await legsRig(decode.address, [prefill.address]);
    const abort = new AbortController();
    const left = send(`http://${rig.address}${CHAT}`, {
      method: "POST",
      body: BODY,
      signal: abort.signal,
    });
    await asked.promise;
    const [socket] = (leg === "prefill" ? prefill : decode).sockets;
    assert.ok(socket);
    const closed = once(socket, "close");
    abort.abort();
    await assert.rejects(left);
    await closed;
    const report = await rig.nextReport();
    assert.equal(report.how, "client-left");
    assert.equal(report.outcome.pd?.outcome, leg === "prefill" ? undefined : "remote");
    assert.equal(decode.received.length, leg === "prefill" ? 0 : 1);
  });
}

test("router-legs: a path without legs goes whole to the decode endpoint", async () => {
  await using prefill = await Engine.start(prefilled);
  await using decode = await Engine.start(decoded);
  await using rig = await legsRig(decode.address, [prefill.address]);
  await (await post(rig, "/v1/embeddings")).body.dump();
  assert.equal(prefill.received.length, 0);
  assert.equal(decode.received[0]?.body, BODY);
});

test("router-legs: a client that does not read holds the decode engine back", async () => {
  const total = 96 * 1024 * 1024;
  const chunk = Buffer.alloc(64 * 1024, 0x61);
  let written = 0;
  await using prefill = await Engine.start(prefilled);
  await using decode = await Engine.start((response) => {
    response.writeHead(200, { "content-type": "text/plain" });
    const fill = (): void => {
      while (written < total) {
        written += chunk.length;
        if (!response.write(chunk)) return;
      }
      response.end();
    };
    response.on("drain", fill);
    fill();
  });
  await using rig = await legsRig(decode.address, [prefill.address]);
  const socket = connectTo(rig.address);
  socket.pause();
  socket.write(
    `POST ${CHAT} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}`,
  );
  let before = -1;
  while (written === 0 || written !== before) {
    before = written;
    await new Promise((done) => setTimeout(done, 200));
  }
  assert.ok(written < total, "the engine wrote all of it");
  let received = 0;
  for await (const part of socket) received += (part as Buffer).length;
  assert.ok(received > total);
});

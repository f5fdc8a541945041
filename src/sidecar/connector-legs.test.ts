import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { request as send } from "undici";
import { namedConnector } from "./connectors/named-connector.ts";
import { type Answer, ask, decoded, Engine, json, PD, sidecarTo } from "./sidecar-rig.test.ts";

const THRESHOLD = '{"cache_hit_threshold":0.8}';
const REFUSED = '{"choices":[{"finish_reason":"cache_threshold"}]}';
const storage = namedConnector("shared-storage", 0);
const sglang = namedConnector("sglang", 8998);

const stream =
  (...events: readonly string[]): Answer =>
  (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const event of events) response.write(`data: ${event}\n\n`);
    response.end("data: [DONE]\n\n");
  };

/** The first answer to the first request, the other to all after it. */
const inTurn = (first: Answer, then: Answer): Answer => {
  let count = 0;
  return (response, received) => (count++ === 0 ? first : then)(response, received);
};

const trials: readonly (readonly [name: string, answer: Answer, legs: number, pd: RegExp])[] = [
  ["JSON that was computed", decoded, 1, /^outcome=local; reason=cached; decode-cached/],
  ["JSON that was refused", inTurn(json(REFUSED), decoded), 2, /^outcome=remote; /],
  ["a stream that was computed", stream('{"choices":[{"finish_reason":null}]}'), 1, /=cached$/],
  ["a stream that was refused", inTurn(stream(REFUSED), stream("{}")), 2, /^outcome=remote; /],
  ["an empty stream", stream(), 1, /reason=cached$/],
  ["text", (response) => response.end("x"), 1, /reason=cached$/],
  ["an error", json('{"choices":[{"finish_reason":"cache_threshold"}]}', 422), 1, /^undefined$/],
];
for (const [name, answer, legs, pd] of trials) {
  test(`shared-storage: a trial answered with ${name} has ${legs} decode legs`, async () => {
    await using prefill = await Engine.start(json("{}"));
    await using decode = await Engine.start(answer);
    await using sidecar = await sidecarTo(decode.address, { legs: { connector: storage } });
    const got = await ask(sidecar, prefill.address, { body: THRESHOLD });
    assert.equal((await got.body.text()).includes("cache_threshold"), got.statusCode === 422);
    assert.match(String(got.headers[PD]), pd);
    assert.equal(decode.received[0]?.body, THRESHOLD);
    assert.equal(decode.received.length, legs);
    assert.equal(prefill.received.length, legs - 1);
    if (legs === 2) assert.equal(decode.received[1]?.body, '{"cache_hit_threshold":0}');
  });
}

test("shared-storage: an engine that dies within the trial is 503", async () => {
  await using prefill = await Engine.start(json("{}"));
  await using decode = await Engine.start((response) => response.destroy());
  await using sidecar = await sidecarTo(decode.address, { legs: { connector: storage } });
  const got = await ask(sidecar, prefill.address, { body: THRESHOLD });
  assert.equal(got.statusCode, 503);
  assert.equal(got.headers[PD], undefined);
  await got.body.dump();
});

test("sglang: both legs get the same room, and neither waits for the other", async () => {
  const both = Promise.withResolvers<void>();
  let count = 0;
  const met =
    (answer: Answer): Answer =>
    (response, received) => {
      if (++count === 2) both.resolve();
      both.promise.then(() => answer(response, received), assert.fail);
    };
  await using prefill = await Engine.start(met(json("{}")));
  await using decode = await Engine.start(met(decoded));
  await using sidecar = await sidecarTo(decode.address, { legs: { connector: sglang } });
  const got = await ask(sidecar, prefill.address, { body: '{"max_tokens":7}' });
  assert.match(await got.body.text(), /"cached_tokens":8/);
  assert.match(String(got.headers[PD]), /^outcome=remote; prefill-endpoint=127/);
  const [leg] = prefill.received;
  assert.match(
    leg?.body ?? "",
    /^{"max_tokens":7,"bootstrap_host":"127.0.0.1","bootstrap_port":8998,/,
  );
  assert.equal(decode.received[0]?.body, leg?.body);
});

test("sglang: a failed prefill leg ends the decode leg that waits for it, and the next pair begins", async () => {
  const waiting = Promise.withResolvers<void>();
  const rooms = new Set<string>();
  await using bad = await Engine.start((response) => {
    waiting.promise.then(() => response.writeHead(500).end(), assert.fail);
  });
  await using good = await Engine.start(json("{}"));
  await using decode = await Engine.start((response, { body }) => {
    rooms.add(body);
    if (rooms.size === 1) waiting.resolve();
    else decoded(response, { path: "", headers: {}, body });
  });
  await using sidecar = await sidecarTo(decode.address, { legs: { connector: sglang } });
  const got = await ask(sidecar, `${bad.address},${good.address}`);
  assert.equal(got.statusCode, 200);
  await got.body.dump();
  assert.match(String(got.headers[PD]), new RegExp(`prefill-endpoint=${good.address}`));
  assert.equal(rooms.size, 2);
});

test("sglang: a refusal of the prefill leg is the answer, a failure without another endpoint ends in decode", async () => {
  const silent: Answer = (response, { body }) => {
    if (!body.includes("bootstrap_room")) decoded(response, { path: "", headers: {}, body });
  };
  await using decode = await Engine.start(silent);
  await using refusing = await Engine.start(json('{"error":1}', 400));
  await using failing = await Engine.start(json("{}", 500));
  await using sidecar = await sidecarTo(decode.address, { legs: { connector: sglang } });
  const refused = await ask(sidecar, refusing.address);
  assert.equal(refused.statusCode, 400);
  assert.equal(await refused.body.text(), '{"error":1}');
  assert.match(String(refused.headers[PD]), /^outcome=refused; reason=status-400; /);
  const fallen = await ask(sidecar, failing.address);
  assert.match(String(fallen.headers[PD]), /^outcome=fallback; reason=engine-error;/);
  await fallen.body.dump();
});

test("sglang: a client that leaves ends both legs", async () => {
  const asked: PromiseWithResolvers<void>[] = [Promise.withResolvers(), Promise.withResolvers()];
  await using prefill = await Engine.start(() => asked[0]?.resolve());
  await using decode = await Engine.start(() => asked[1]?.resolve());
  await using sidecar = await sidecarTo(decode.address, { legs: { connector: sglang } });
  const abort = new AbortController();
  const left = send(`http://${sidecar.address}/v1/completions`, {
    method: "POST",
    headers: { "x-prefiller-host-port": prefill.address },
    body: "{}",
    signal: abort.signal,
  });
  await Promise.all(asked.map(({ promise }) => promise));
  const areClosed = [prefill, decode].map(({ sockets }) => {
    const [socket] = sockets;
    assert.ok(socket);
    return once(socket, "close");
  });
  abort.abort();
  await assert.rejects(left);
  await Promise.all(areClosed);
});

const retries: readonly (readonly [name: string, status: number, attempts: number])[] = [
  ["503 is asked again", 503, 3],
  ["500 is not", 500, 1],
];
for (const [name, status, attempts] of retries) {
  test(`two-legs: a prefill endpoint that answers ${name}`, async () => {
    await using prefill = await Engine.start(json("{}", status));
    await using decode = await Engine.start(decoded);
    await using sidecar = await sidecarTo(decode.address, {
      legs: { prefillRetryLimit: 2, prefillRetryBackoffMs: 1 },
    });
    const got = await ask(sidecar, prefill.address);
    assert.match(String(got.headers[PD]), /^outcome=fallback; reason=engine-error/);
    await got.body.dump();
    assert.equal(prefill.received.length, attempts);
  });
}

test("two-legs: a retry that succeeds is remote prefill", async () => {
  await using prefill = await Engine.start(
    inTurn(json("{}", 503), json('{"kv_transfer_params":{"remote_block_ids":[1]}}')),
  );
  await using decode = await Engine.start(decoded);
  await using sidecar = await sidecarTo(decode.address, {
    legs: { prefillRetryLimit: 1, prefillRetryBackoffMs: 1 },
  });
  const got = await ask(sidecar, prefill.address);
  assert.match(String(got.headers[PD]), /^outcome=remote;/);
  await got.body.dump();
});

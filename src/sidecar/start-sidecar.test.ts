import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { request as send, type Dispatcher as Undici } from "undici";
import {
  type Answer,
  ask,
  BODY,
  CHAT,
  deadAddress,
  decoded,
  Engine,
  HANDLE,
  json,
  PD,
  prefilled,
  sidecarTo,
} from "./sidecar-rig.test.ts";

const factsOf = (answer: Undici.ResponseData): string =>
  String(answer.headers[PD]).replace(/prefill-ms=[\d.]+/, "prefill-ms=N");

test("sidecar: both legs get exactly the bytes they should and the client sees the prefill's cached tokens", async () => {
  await using prefill = await Engine.start(prefilled);
  const kv = { "x-switchyard-kv": "bytes=512; ms=3; handshake-ms=1" };
  await using decode = await Engine.start(
    json(
      '{"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":8}}, "x":1}',
      200,
      kv,
    ),
  );
  await using sidecar = await sidecarTo(decode.address);
  const answer = await ask(sidecar, prefill.address, { path: `${CHAT}?a=1` });
  const text = '{"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":4}}, "x":1}';
  assert.equal(answer.headers["content-length"], String(text.length));
  assert.equal(await answer.body.text(), text);
  assert.equal(
    factsOf(answer),
    `outcome=remote; prefill-endpoint=${prefill.address}; prefill-ms=N; handle-blocks=2; ` +
      "prefill-cached-tokens=4; decode-cached-tokens=8; kv-bytes=512; kv-ms=3; kv-handshake-ms=1",
  );
  assert.equal(answer.headers["x-switchyard-kv"], undefined);
  assert.equal(
    prefill.received[0]?.body,
    '{"seed":9007199254740993,"max_tokens":1,"messages":[],"kv_transfer_params":' +
      '{"do_remote_decode":true,"do_remote_prefill":false,"remote_engine_id":null,' +
      '"remote_block_ids":null,"remote_host":null,"remote_port":null},' +
      '"stream":false,"max_completion_tokens":1,"min_tokens":1}',
  );
  assert.equal(
    decode.received[0]?.body,
    `{"seed":9007199254740993,"max_tokens":64,"messages":[],"kv_transfer_params":${HANDLE}}`,
  );
  for (const engine of [prefill, decode]) {
    const [leg] = engine.received;
    assert.equal(leg?.path, `${CHAT}?a=1`);
    assert.equal(leg?.headers["x-request-id"], "abc");
    assert.equal(leg?.headers["accept-encoding"], "identity");
    assert.equal(leg?.headers["content-type"], "application/json");
    assert.equal(leg?.headers["x-prefiller-host-port"], undefined);
    assert.equal(leg?.headers[PD], undefined);
  }
});

test("sidecar: a stream passes event by event, its usage is rewritten and the trailer tells the rest", async () => {
  const { promise: seen, resolve: goOn } = Promise.withResolvers<void>();
  await using prefill = await Engine.start(prefilled);
  await using decode = await Engine.start((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write('data: {"usage":null}\n\ndata: {"us');
    seen.then(() => {
      response.write('age":{"prompt_tokens_details":{"cached_tokens":8}}}\n');
      response.end("\ndata: [DONE]\n\n");
    }, assert.fail);
  });
  await using sidecar = await sidecarTo(decode.address);
  const answer = await ask(sidecar, prefill.address);
  assert.equal(answer.headers["trailer"], PD);
  assert.match(factsOf(answer), /^outcome=remote; .*prefill-cached-tokens=4$/);
  let text = "";
  for await (const part of answer.body) {
    text += String(part);
    if (text === 'data: {"usage":null}\n\n') goOn();
  }
  assert.equal(
    text,
    'data: {"usage":null}\n\ndata: {"usage":{"prompt_tokens_details":{"cached_tokens":4}}}\n\n' +
      "data: [DONE]\n\n",
  );
  assert.deepEqual(answer.trailers, { [PD]: "decode-cached-tokens=8" });
});

test("sidecar: a client of HTTP/1.0 gets the stream without trailers", async () => {
  await using prefill = await Engine.start(prefilled);
  await using decode = await Engine.start((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end('data: {"usage":{}}\n\n');
  });
  await using sidecar = await sidecarTo(decode.address);
  const socket = connect(Number(sidecar.address.split(":")[1]), "127.0.0.1");
  socket.write(
    `POST ${CHAT} HTTP/1.0\r\nx-prefiller-host-port: ${prefill.address}\r\nContent-Length: 2\r\n\r\n{}`,
  );
  const text = (await buffer(socket)).toString();
  assert.doesNotMatch(text, /trailer|chunked/i);
  assert.ok(
    text.endsWith('\r\n\r\ndata: {"usage":{"prompt_tokens_details":{"cached_tokens":4}}}\n\n'),
  );
});

test("sidecar: without a handle the decode engine computes by itself", async () => {
  await using prefill = await Engine.start(json('{"kv_transfer_params":null}'));
  await using decode = await Engine.start(decoded);
  await using sidecar = await sidecarTo(decode.address);
  const answer = await ask(sidecar, prefill.address, { path: "/v1/completions" });
  assert.equal(answer.statusCode, 200);
  assert.match(factsOf(answer), /^outcome=local; reason=no-kv-params; prefill-endpoint=/);
  assert.match(decode.received[0]?.body ?? "", /"kv_transfer_params":null}$/);
  assert.match(await answer.body.text(), /"cached_tokens":8/);
});

test("sidecar: a 4xx of the prefill leg is the answer", async () => {
  await using prefill = await Engine.start((response) => {
    response.writeHead(422, { "content-type": "text/x" }).end("too long");
  });
  await using decode = await Engine.start(decoded);
  await using sidecar = await sidecarTo(decode.address);
  const answer = await ask(sidecar, [prefill.address, prefill.address]);
  assert.equal(answer.statusCode, 422);
  assert.equal(answer.headers["content-type"], "text/x");
  const refused = `outcome=refused; reason=status-422; prefill-endpoint=${prefill.address}`;
  assert.equal(factsOf(answer), refused);
  assert.equal(await answer.body.text(), "too long");
  assert.equal(prefill.received.length, 1);
  assert.equal(decode.received.length, 0);
});

const faults: { name: string; answer: Answer | undefined; reason: string; status: number }[] = [
  { name: "refuses connections", answer: undefined, reason: "connect-error", status: 502 },
  { name: "closes", answer: (r) => r.destroy(), reason: "connection-lost", status: 502 },
  { name: "is silent", answer: () => undefined, reason: "timeout", status: 504 },
  { name: "answers 500", answer: json("{}", 500), reason: "engine-error", status: 502 },
  { name: "answers 503", answer: json("{}", 503), reason: "engine-error", status: 503 },
  { name: "answers no JSON", answer: json("<html>"), reason: "bad-answer", status: 502 },
  { name: "redirects", answer: json("{}", 302), reason: "bad-answer", status: 502 },
];
for (const { name, answer: prefillAnswer, reason, status } of faults) {
  test(`sidecar: a prefill endpoint that ${name} is passed over, then decode or an error follows`, async () => {
    await using bad = await Engine.start(prefillAnswer ?? decoded);
    await using good = await Engine.start(prefilled);
    await using decode = await Engine.start(decoded);
    const badAddress = prefillAnswer === undefined ? await deadAddress() : bad.address;
    const prefillTimeoutMs = reason === "timeout" ? 50 : 10_000;
    await using lenient = await sidecarTo(decode.address, { legs: { prefillTimeoutMs } });
    await using strict = await sidecarTo(decode.address, {
      legs: { prefillTimeoutMs, fallback: "error" },
    });

    // The good endpoint must not be slower than the limit that the silent one runs into.
    if (reason !== "timeout") {
      const second = await ask(lenient, `${badAddress} , ${good.address}`);
      await second.body.dump();
      assert.match(
        factsOf(second),
        new RegExp(`^outcome=remote; prefill-endpoint=${good.address};`),
      );
    }
    const alone = await ask(lenient, badAddress);
    assert.equal(alone.statusCode, 200);
    assert.equal(factsOf(alone), `outcome=fallback; reason=${reason}; decode-cached-tokens=8`);
    assert.match(await alone.body.text(), /"cached_tokens":8/);
    assert.equal(decode.received.at(-1)?.body, BODY);

    const error = await ask(strict, badAddress);
    assert.equal(error.statusCode, status);
    const { error: told } = (await error.body.json()) as { error: Record<string, unknown> };
    assert.equal(told["message"], `prefill failed: ${reason}`);
    assert.equal(told["type"], reason === "timeout" ? "timeout" : "upstream_error");
  });
}

const refusals = [
  { name: "an invalid endpoint", prefill: "10.0.0.1", body: BODY, status: 400 },
  { name: "a port out of range", prefill: "10.0.0.1:65536", body: BODY, status: 400 },
  { name: "a URL", prefill: "http://10.0.0.1:80/", body: BODY, status: 400 },
  { name: "too many endpoints", prefill: Array(17).fill("a:1").join(), body: BODY, status: 400 },
  { name: "a forbidden endpoint", prefill: "10.0.0.9:80", body: BODY, status: 403 },
  { name: "a body that is no object", prefill: "10.0.0.1:80", body: "[]", status: 400 },
];
for (const { name, prefill, body, status } of refusals) {
  test(`sidecar: ${name} is refused`, async () => {
    await using decode = await Engine.start(decoded);
    await using sidecar = await sidecarTo(decode.address, {
      isPrefillAllowed: (hostPort) => hostPort === "10.0.0.1:80",
    });
    const answer = await ask(sidecar, prefill, { body });
    assert.equal(answer.statusCode, status);
    assert.match(await answer.body.text(), /"invalid_request_error"/);
    assert.equal(decode.received.length, 0);
  });
}

test("sidecar: a body over 64 MiB is refused unread", async () => {
  await using decode = await Engine.start(decoded);
  await using sidecar = await sidecarTo(decode.address);
  const socket = connect(Number(sidecar.address.split(":")[1]), "127.0.0.1");
  socket.write(
    `POST ${CHAT} HTTP/1.1\r\nHost: x\r\nx-prefiller-host-port: a:1\r\nContent-Length: 67108865\r\n\r\n`,
  );
  assert.match((await buffer(socket)).toString(), /^HTTP\/1.1 413 /);
});

test("sidecar: everything else passes through, with its body and without routing headers", async () => {
  await using decode = await Engine.start((response, { body }) => {
    response.writeHead(201, { "x-engine": "1" }).end(`got ${body}`);
  });
  await using sidecar = await sidecarTo(decode.address);
  const chunked = await send(`http://${sidecar.address}/v1/embeddings`, {
    method: "POST",
    headers: { "x-prefiller-host-port": "a:1", "x-kept": "1" },
    body: Readable.from(["ab", "cd"]),
  });
  assert.equal(chunked.statusCode, 201);
  assert.equal(chunked.headers["x-engine"], "1");
  assert.equal(await chunked.body.text(), "got abcd");
  assert.equal(decode.received[0]?.headers["x-prefiller-host-port"], undefined);
  assert.equal(decode.received[0]?.headers["x-kept"], "1");
  const whole = await ask(sidecar, "");
  assert.equal(await whole.body.text(), `got ${BODY}`);
  assert.equal(whole.headers[PD], undefined);
  assert.equal(decode.received[1]?.headers["content-length"], String(BODY.length));
});

test("sidecar: health is the engine's, so a dead engine looks dead", async () => {
  await using sidecar = await (async () => {
    await using decode = await Engine.start((response) => response.end());
    const started = await sidecarTo(decode.address);
    const alive = await send(`http://${started.address}/health`);
    assert.equal(alive.statusCode, 200);
    await alive.body.dump();
    return started;
  })();
  const dead = await send(`http://${sidecar.address}/health`);
  assert.equal(dead.statusCode, 503);
  await dead.body.dump();
});

test("sidecar: a decode engine that dies within a stream cuts the client", async () => {
  await using prefill = await Engine.start(prefilled);
  await using decode = await Engine.start((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: 1\n\n");
    setTimeout(() => response.destroy(), 20);
  });
  await using sidecar = await sidecarTo(decode.address);
  const answer = await ask(sidecar, prefill.address);
  await assert.rejects(answer.body.text());
});

for (const leg of ["prefill", "decode"] as const) {
  test(`sidecar: a client that leaves ends the ${leg} leg at once`, async () => {
    const asked = Promise.withResolvers<void>();
    const silent: Answer = () => asked.resolve();
    await using prefill = await Engine.start(leg === "prefill" ? silent : prefilled);
    await using decode = await Engine.start(silent);
    await using sidecar = await sidecarTo(decode.address);
    const abort = new AbortController();
    const left = send(`http://${sidecar.address}${CHAT}`, {
      method: "POST",
      headers: { "x-prefiller-host-port": prefill.address },
      body: BODY,
      signal: abort.signal,
    });
    await asked.promise;
    const [socket] = leg === "prefill" ? prefill.sockets : decode.sockets;
    assert.ok(socket);
    const closed = once(socket, "close");
    abort.abort();
    await assert.rejects(left);
    await closed;
    assert.equal(decode.received.length, leg === "prefill" ? 0 : 1);
  });
}

test("sidecar: draining lets requests end and takes no more", async () => {
  const asked = Promise.withResolvers<void>();
  const drained = Promise.withResolvers<void>();
  await using prefill = await Engine.start(prefilled);
  await using decode = await Engine.start((response) => {
    asked.resolve();
    drained.promise.then(() => response.end("late"), assert.fail);
  });
  await using sidecar = await sidecarTo(decode.address);
  const answer = ask(sidecar, prefill.address);
  await asked.promise;
  const whenDrained = sidecar.drain();
  await assert.rejects(ask(sidecar, prefill.address));
  drained.resolve();
  assert.equal(await (await answer).body.text(), "late");
  await whenDrained;
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../../test/fixtures/eventually.ts";
import { frontUnderTest, RawClient } from "../../../test/fixtures/front-under-test.ts";

const COMPLETION = JSON.stringify({ model: "model-a", prompt: "hello" });
const POST = "POST /v1/completions HTTP/1.1\r\nhost: x\r\n";

test("request-body: a chunked body arrives whole, byte by byte or at once", async () => {
  await using under = await frontUnderTest();
  const client = new RawClient(under.front.port);
  client.send(`${POST}transfer-encoding: chunked\r\n\r\n`);
  for (const character of COMPLETION) client.send(`1;note=x\r\n${character}\r\n`);
  client.send("0\r\ntrailer: t\r\n\r\n");
  await client.until((text) => text.includes(`"bytes":${COMPLETION.length}`));
  client.socket.destroy();
  assert.equal(Buffer.from(under.jobs[0]?.body.whole ?? []).toString(), COMPLETION);
  await eventually(() => under.front.bufferedBytes === 0);
});

test("request-body: a body in many reads is kept in its pieces, small ones gathered", async () => {
  await using under = await frontUnderTest();
  const body = JSON.stringify({ model: "model-a", prompt: "é".repeat(100_000) });
  const bytes = Buffer.from(body);
  const response = await fetch(`${under.url}/v1/completions`, { method: "POST", body });
  assert.equal(response.status, 200);
  const received = under.jobs[0]?.body;
  assert.ok(received !== undefined && bytes.equals(received.whole));
  assert.equal(received.sizeBytes, bytes.length);
});

const cuts: readonly [string, readonly number[]][] = [
  ["trickles in", [40]],
  ["comes in large and tiny pieces by turns", [20_000, 1]],
];
for (const [name, sizes] of cuts) {
  test(`request-body: a body that ${name} takes no more than twice its size`, async () => {
    await using under = await frontUnderTest();
    const body = JSON.stringify({ model: "model-a", prompt: "x".repeat(200_000) });
    const client = new RawClient(under.front.port);
    client.send(`${POST}transfer-encoding: chunked\r\n\r\n`);
    let chunks = "";
    for (let at = 0, i = 0; at < body.length; i++) {
      const chunk = body.slice(at, at + (sizes[i % sizes.length] ?? 1));
      chunks += `${chunk.length.toString(16)}\r\n${chunk}\r\n`;
      at += chunk.length;
    }
    client.send(`${chunks}0\r\n\r\n`);
    await client.until((text) => text.includes(`"bytes":${body.length}`));
    client.socket.destroy();
    const received = under.jobs[0]?.body;
    assert.ok(received !== undefined);
    assert.equal(Buffer.from(received.whole).toString(), body);
    const memory = new Set(received.pieces.map(({ buffer }) => buffer));
    const heldBytes = [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0);
    assert.ok(heldBytes <= 2 * body.length + 1024, `${heldBytes} bytes are held`);
    assert.ok(received.pieces.length < 50, `${received.pieces.length} pieces`);
  });
}

test("request-body: a chunked body over the limit is 413 although no length was declared", async () => {
  await using under = await frontUnderTest({ limits: { bodyBytesMax: 10 } });
  const client = new RawClient(under.front.port);
  client.send(`${POST}transfer-encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n`);
  const received = await client.closed();
  assert.match(received, /^HTTP\/1.1 413 .*connection: close.*"param":null/is);
  assert.equal(under.jobs.length, 0);
  assert.equal(under.front.bufferedBytes, 0);
});

test("request-body: a large upload is refused with an answer the client can read", async () => {
  await using under = await frontUnderTest({ limits: { bodyBytesMax: 1000 } });
  const response = await fetch(`${under.url}/v1/completions`, {
    method: "POST",
    body: Buffer.alloc(20_000_000),
  });
  assert.equal(response.status, 413);
  assert.match(await response.text(), /the body is over 1000 bytes/);
});

test("request-body: a small unread body does not cost the connection", async () => {
  await using under = await frontUnderTest();
  const client = new RawClient(under.front.port);
  client.send("POST /nope HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n01234");
  client.send("GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n");
  const received = await client.until((text) => text.includes("model-a"));
  client.socket.destroy();
  assert.match(received, /^HTTP\/1.1 404 .*HTTP\/1.1 200 /is);
});

test("request-body: an expecting client is asked for the body when there is room", async () => {
  await using under = await frontUnderTest();
  const client = new RawClient(under.front.port);
  client.send(`${POST}expect: 100-continue\r\ncontent-length: ${COMPLETION.length}\r\n\r\n`);
  await client.until((text) => text === "HTTP/1.1 100 Continue\r\n\r\n");
  client.send(COMPLETION);
  await client.until((text) => text.includes(`"bytes":${COMPLETION.length}`));
  client.socket.destroy();
});

const refusedExpectations = [
  { name: "too long a body", head: "expect: 100-continue\r\ncontent-length: 11\r\n", status: 413 },
  { name: "an unknown expectation", head: "expect: tea\r\ncontent-length: 2\r\n", status: 400 },
];
for (const { name, head, status } of refusedExpectations) {
  test(`request-body: ${name} is refused before the body is asked for`, async () => {
    await using under = await frontUnderTest({ limits: { bodyBytesMax: 10 } });
    const client = new RawClient(under.front.port);
    const received = await client.send(`${POST}${head}\r\n`).closed();
    assert.match(received, new RegExp(`^HTTP/1.1 ${status} .*connection: close`, "is"));
    assert.ok(!received.includes("100 Continue"));
    assert.equal(under.reports.length, 1);
  });
}

test("request-body: nothing is dispatched for a client that leaves while it sends", async () => {
  await using under = await frontUnderTest();
  const client = new RawClient(under.front.port);
  client.send(`${POST}content-length: 100\r\n\r\n{"model"`);
  await eventually(() => under.front.bufferedBytes === 100);
  client.socket.destroy();
  await eventually(() => under.reports.length === 1);
  assert.equal(under.reports[0]?.how, "client-left");
  assert.equal(under.reports[0]?.outcome.status, 499);
  assert.equal(under.jobs.length, 0);
  assert.equal(under.front.bufferedBytes, 0);
});

const tight = { bodyBytesMax: 100, bufferedBytesMax: 100 };

test("request-body: above the budget a body waits unread until bytes are given back", async () => {
  const release = Promise.withResolvers<void>();
  await using under = await frontUnderTest({
    limits: { ...tight, bufferWaitMs: 60_000 },
    dispatch: async ({ response, decision }) => {
      if (decision === 1) await release.promise;
      response.end(`answer ${decision}`);
    },
  });
  const body = COMPLETION.padEnd(80);
  const post = (): Promise<Response> =>
    fetch(`${under.url}/v1/completions`, { method: "POST", body });
  const first = post();
  await eventually(() => under.jobs.length === 1);
  const waiting = new RawClient(under.front.port);
  waiting.send(`${POST}expect: 100-continue\r\ncontent-length: 80\r\n\r\n`);
  // A request that needs no room is served meanwhile, and shows that the waiting one had its chance.
  assert.equal((await fetch(`${under.url}/v1/models`)).status, 200);
  assert.equal(under.front.bufferedBytes, 80);
  release.resolve();
  assert.equal(await (await first).text(), "answer 1");
  await waiting.until((text) => text.includes("100 Continue"));
  waiting.send(body);
  await waiting.until((text) => text.includes("answer 2"));
  waiting.socket.destroy();
});

for (const framing of ["length", "chunked"] as const) {
  test(`request-body: without room in time a ${framing} body is 503 with Retry-After`, async () => {
    const release = Promise.withResolvers<void>();
    await using under = await frontUnderTest({
      limits: { ...tight, bufferWaitMs: 5 },
      dispatch: async ({ response }) => {
        await release.promise;
        response.end("done");
      },
    });
    const body = COMPLETION.padEnd(80);
    const first = fetch(`${under.url}/v1/completions`, { method: "POST", body });
    await eventually(() => under.jobs.length === 1);
    const client = new RawClient(under.front.port);
    const length = framing === "length" ? "content-length: 80" : "transfer-encoding: chunked";
    const received = await client
      .send(`${POST}${length}\r\n\r\n`)
      .until((text) => /}}$/.test(text));
    client.socket.destroy();
    assert.match(received, /^HTTP\/1.1 503 .*retry-after: 5.*"code":"overloaded"/is);
    release.resolve();
    assert.equal((await first).status, 200);
    await eventually(() => under.front.bufferedBytes === 0);
  });
}

test("request-body: a chunked body takes more of the budget as it grows", async () => {
  const half = 512 * 1024;
  await using under = await frontUnderTest({
    limits: { bodyBytesMax: half, bufferedBytesMax: half, bufferWaitMs: 5 },
    dispatch: async ({ response }) => {
      response.end(String(under.front.bufferedBytes));
    },
  });
  const large = JSON.stringify({ model: "model-a", prompt: "p".repeat(400_000) });
  const client = new RawClient(under.front.port);
  client.send(`${POST}transfer-encoding: chunked\r\n\r\n${large.length.toString(16)}\r\n`);
  client.send(`${large}\r\n0\r\n\r\n`);
  const received = await client.until((text) => /\d{6}$|\r\n0\r\n\r\n$/.test(text));
  client.socket.destroy();
  assert.match(received, new RegExp(`\\b${half}\\b`));
});

const slow = { headersTimeoutMs: 40, requestTimeoutMs: 40 };
const malformed = [
  { name: "a late head", bytes: "GET /v1/models HTTP/1.1\r\nho", status: 408, limits: slow },
  { name: "a late body", bytes: `${POST}content-length: 9\r\n\r\n{`, status: 408, limits: slow },
  {
    name: "a head that is too large",
    bytes: `GET / HTTP/1.1\r\nx: ${"y".repeat(5000)}\r\n\r\n`,
    status: 431,
    limits: { maxHeaderBytes: 4096 },
  },
  { name: "no HTTP at all", bytes: "hello\r\n\r\n", status: 400, limits: {} },
  {
    name: "a broken chunk",
    bytes: `${POST}transfer-encoding: chunked\r\n\r\nzz`,
    status: 400,
    limits: {},
  },
  {
    name: "a length beside chunked coding",
    bytes: `${POST}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n`,
    status: 400,
    limits: {},
  },
  { name: "no Host", bytes: "GET /v1/models HTTP/1.1\r\n\r\n", status: 400, limits: {} },
];
for (const { name, bytes, status, limits } of malformed) {
  test(`request-body: ${name} is ${status} in the usual shape`, async () => {
    await using under = await frontUnderTest({ limits });
    const client = new RawClient(under.front.port);
    const received = await client.send(bytes).until((text) => /}}$/.test(text));
    client.socket.destroy();
    assert.match(received, new RegExp(`^HTTP/1.1 ${status} .*x-request-id: [0-9a-f-]{36}`, "is"));
    assert.match(received, /\{"error":\{"message":".+","type":"invalid_request_error"/);
    assert.equal(under.jobs.length, 0);
  });
}

test("request-body: garbage behind a running request cuts the connection, nothing is mixed in", async () => {
  await using under = await frontUnderTest({
    dispatch: ({ response }) => {
      response.writeHead(200).write("part");
      return new Promise((resolve) => response.once("close", () => resolve()));
    },
  });
  const client = new RawClient(under.front.port);
  client.send(`${POST}content-length: ${COMPLETION.length}\r\n\r\n${COMPLETION}`);
  await client.until((text) => text.includes("part"));
  const received = await client.send("garbage\r\n\r\n").closed();
  assert.ok(!received.includes("400"));
});

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import { eventually } from "../fixtures/eventually.ts";
import { bodyOf, echoOf, startRandomEngine } from "../fixtures/random-engine.ts";
import { RawHttpClient } from "../fixtures/raw-http-client.ts";
import { relayUnderTest } from "../fixtures/relay-under-test.ts";

const SEED = Number(process.env["RELAY_SEED"] ?? Date.now() % 1_000_000);
process.stdout.write(`relay: RELAY_SEED=${SEED} repeats this run's engines\n`);

const BODY = '{"model":"m"}';
const SIZES = [0, 1, 5, 300, 5000, 70_000];
const post = (path: string, body = BODY, headers = ""): string =>
  `POST /v1/${path} HTTP/1.1\r\nHost: x\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;

test("relay: 400 mixed requests on 8 connections arrive and are answered byte for byte", async () => {
  await using engine = await startRandomEngine(SEED);
  await using router = await relayUnderTest(engine.address);
  const work = async (worker: number): Promise<void> => {
    const client = new RawHttpClient(router.front.port);
    for (let i = 0; i < 50; i++) {
      const id = `${worker}-${i}`;
      const size = SIZES[i % SIZES.length] ?? 0;
      const body = `{"model":"m","pad":"${"b".repeat((i * 7919) % 3000)}"}`;
      const path = i % 2 === 0 ? "length" : "chunked";
      client.send(post(`${path}?id=${id}&n=${size}`, body));
      const answer = await client.answer();
      assert.equal(answer.status, 200);
      assert.equal(answer.body, bodyOf(id, size), `${id} of ${size} bytes`);
      assert.ok(answer.head.includes(echoOf(body)), "the engine got another body");
    }
    assert.equal(client.rest, "");
    client.socket.destroy();
  };
  await Promise.all(Array.from({ length: 8 }, (_, worker) => work(worker)));
  await eventually(() => router.reports.length === 400);
  assert.ok(router.reports.every(({ how }) => how === "completed"));
  // Kept connections are used again: no more than clients at a time, but for surplus bytes.
  assert.ok(engine.acceptedCount <= 8, `${engine.acceptedCount} connections for 8 clients`);
  assert.equal(router.core.inFlightCount, 0);
});

test("relay: thirty pipelined requests are answered in order", async () => {
  await using engine = await startRandomEngine(SEED + 1);
  await using router = await relayUnderTest(engine.address);
  const client = new RawHttpClient(router.front.port);
  const sizeOf = (i: number): number => (i * 977) % 9000;
  const pathOf = (i: number): string => (i % 2 === 0 ? "length" : "chunked");
  const all = Array.from({ length: 30 }, (_, i) => post(`${pathOf(i)}?id=${i}&n=${sizeOf(i)}`));
  client.send(all.join(""));
  for (let i = 0; i < 30; i++) {
    assert.equal((await client.answer()).body, bodyOf(String(i), sizeOf(i)), `answer ${i}`);
  }
  assert.equal(client.rest, "");
  client.socket.destroy();
});

test("relay: a request that comes byte by byte, in chunks with an extension, is one request", async () => {
  await using engine = await startRandomEngine(SEED + 2);
  await using router = await relayUnderTest(engine.address);
  const client = new RawHttpClient(router.front.port);
  const head =
    "POST /v1/length?id=9&n=100 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const byte of `${head}5\r\n{"mod\r\n8;x=y\r\nel":"m"}\r\n0\r\n\r\n`) {
    client.send(byte);
    await nextTurn();
  }
  const answer = await client.answer();
  assert.ok(answer.head.includes(echoOf(BODY)));
  assert.equal(answer.body, bodyOf("9", 100));
  client.send(post("length?id=10&n=3"));
  assert.equal((await client.answer()).body, bodyOf("10", 3));
  client.socket.destroy();
});

test("relay: what has no body, or informational answers before it, leaves the connections usable", async () => {
  await using engine = await startRandomEngine(SEED + 3);
  await using router = await relayUnderTest(engine.address);
  const client = new RawHttpClient(router.front.port);
  for (let i = 0; i < 5; i++) {
    const empty = await client.send(post("empty")).answer();
    assert.equal(empty.status, 204);
    assert.doesNotMatch(empty.head, /content-length|transfer-encoding/i);
    assert.equal((await client.send(post("informed")).answer()).body, "ok");
    assert.equal((await client.send(post("length?id=4&n=9")).answer()).body, bodyOf("4", 9));
  }
  assert.equal(engine.acceptedCount, 1);
  client.socket.destroy();
});

test("relay: a body that the engine ends by closing is complete for the client", async () => {
  await using engine = await startRandomEngine(SEED + 4);
  await using router = await relayUnderTest(engine.address);
  const client = new RawHttpClient(router.front.port);
  for (let i = 0; i < 3; i++) {
    const answer = await client.send(post("until-close?id=5&n=70000")).answer();
    assert.equal(answer.body, bodyOf("5", 70_000));
    assert.equal(answer.isEndedByClose, false);
  }
  client.socket.destroy();
});

test("relay: Connection: close of the client is kept to, whatever the engine's framing", async () => {
  await using engine = await startRandomEngine(SEED + 5);
  await using router = await relayUnderTest(engine.address);
  for (const path of ["length", "chunked", "until-close"]) {
    const client = new RawHttpClient(router.front.port);
    client.send(post(`${path}?id=3&n=900`, BODY, "Connection: close\r\n"));
    assert.equal((await client.answer()).body, bodyOf("3", 900));
    await client.closed();
    assert.equal(client.rest, "");
  }
});

test("relay: an engine that dies before its head is a 502, and the client's connection stays usable", async () => {
  await using engine = await startRandomEngine(SEED + 6);
  await using router = await relayUnderTest(engine.address);
  const client = new RawHttpClient(router.front.port);
  assert.equal((await client.send(post("dead")).answer()).status, 502);
  assert.equal((await client.send(post("length?id=6&n=3")).answer()).body, bodyOf("6", 3));
  client.socket.destroy();
});

for (const path of ["die-chunked", "die-length"]) {
  test(`relay: an engine that dies within its answer (${path}) cuts the client's connection`, async () => {
    await using engine = await startRandomEngine(SEED + 7);
    await using router = await relayUnderTest(engine.address);
    const client = new RawHttpClient(router.front.port).send(post(path));
    await assert.rejects(client.answer(), /ended within an answer/);
    await eventually(() => router.reports.length === 1);
    assert.equal(router.reports[0]?.how, "connection-lost");
  });
}

test("relay: twenty clients that leave end their engine connections, and none is dialled anew", async () => {
  await using engine = await startRandomEngine(SEED + 8);
  await using router = await relayUnderTest(engine.address);
  const clients = Array.from({ length: 20 }, () => new RawHttpClient(router.front.port));
  for (const client of clients) client.send(post("slow"));
  await eventually(() => engine.requestCount === 20);
  for (const client of clients) client.socket.destroy();
  await eventually(() => engine.openCount === 0);
  await eventually(() => router.reports.length === 20);
  assert.ok(router.reports.every(({ how }) => how === "client-left"));
  assert.equal(engine.acceptedCount, 20);
  assert.equal(router.core.inFlightCount, 0);
});

test("relay: a client that stops reading a flood holds the engine back and gets all of it later", async () => {
  await using engine = await startRandomEngine(SEED + 9);
  await using router = await relayUnderTest(engine.address);
  const client = new RawHttpClient(router.front.port);
  client.socket.pause();
  client.send(post("flood"));
  await eventually(() => engine.floodBytes > 0);
  let before = -1;
  while (before !== engine.floodBytes) {
    before = engine.floodBytes;
    await delay(300);
  }
  // What is on its way is in kernel buffers, some 6 MB a connection.
  assert.ok(engine.floodBytes < 30e6, `${engine.floodBytes} bytes were taken for nobody`);
  client.socket.resume();
  const { body } = await client.answer();
  assert.equal(body.length, 4000 * 16_384);
  client.socket.destroy();
});

const probes = [
  ["a length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG"],
  ["two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"],
  ["an odd coding", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"],
  ["a space before the colon", "Content-Length : 0\r\n\r\n"],
  ["a folded line", "X-A: 1\r\n Content-Length: 0\r\n\r\n"],
  ["a bare line feed in a chunk size", "Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n"],
  ["a signed chunk size", "Transfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n"],
] as const;
test("relay: smuggling probes are refused, and nothing of them reaches the engine", async () => {
  await using engine = await startRandomEngine(SEED + 10);
  await using router = await relayUnderTest(engine.address);
  const refused = async (name: string, bytes: string, status = 400): Promise<void> => {
    const client = new RawHttpClient(router.front.port).send(bytes);
    assert.equal((await client.answer()).status, status, name);
    client.socket.destroy();
  };
  const line = "POST /v1/length HTTP/1.1\r\nHost: x\r\n";
  for (const [name, rest] of probes) await refused(name, line + rest);
  await refused("no host", "POST /v1/length HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
  await refused("bare line feeds", "POST /v1/length HTTP/1.1\nHost: x\nContent-Length: 0\n\n");
  await refused("100 KB of header", `${line}A: ${"a".repeat(100_000)}\r\n\r\n`, 431);
  assert.equal(engine.requestCount, 0);
});

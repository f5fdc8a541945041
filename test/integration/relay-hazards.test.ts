import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { startRawEngine } from "../../src/dispatch/dispatch-rig.test.ts";
import { eventually } from "../fixtures/eventually.ts";
import { RawHttpClient } from "../fixtures/raw-http-client.ts";
import { relayUnderTest } from "../fixtures/relay-under-test.ts";

const BODY = '{"model":"m"}';
const LINES = `Host: x\r\nContent-Length: ${BODY.length}\r\n`;
const POST = `POST /v1/x HTTP/1.1\r\n${LINES}\r\n${BODY}`;
const STREAM =
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/** An engine that answers every request as told; requests come in one read each. */
function engineThat(answer: (socket: Socket) => void) {
  return startRawEngine((socket) => socket.on("data", () => answer(socket)));
}

test("relay-hazards: pipelining: an answer is begun only when its connection is its own", async () => {
  const asked: Socket[] = [];
  await using engine = await engineThat((socket) => asked.push(socket));
  await using router = await relayUnderTest(engine.address);
  const client = new RawHttpClient(router.front.port).send(POST + POST);
  await eventually(() => asked.length === 1);
  // The second request waits in the front: its response has no socket to be written to.
  await delay(20);
  assert.equal(asked.length, 1);
  asked[0]?.write(`${STREAM}1\r\na\r\n0\r\n\r\n`);
  await eventually(() => asked.length === 2);
  asked[1]?.write(`${STREAM}1\r\nb\r\n0\r\n\r\n`);
  assert.equal((await client.answer()).body, "a");
  assert.equal((await client.answer()).body, "b");
  client.socket.destroy();
});

test("relay-hazards: double terminator: last chunk and trailers are held back wherever they are cut", async () => {
  const end = "3\r\nabc\r\n0;x\r\nX-T: 1\r\n\r\n";
  let cut = 0;
  await using engine = await engineThat((socket) => {
    socket.write(STREAM + end.slice(0, cut));
    setImmediate(() => socket.write(end.slice(cut)));
  });
  await using router = await relayUnderTest(engine.address);
  const client = new RawHttpClient(router.front.port);
  for (; cut < end.length; cut++) {
    const { body, head } = await client.send(POST).answer();
    assert.equal(body, "abc", `cut at ${cut}`);
    assert.doesNotMatch(head, /trailer|x-t/i);
    assert.equal(client.rest, "", `cut at ${cut}`);
  }
  client.socket.destroy();
});

test("relay-hazards: coding: HTTP/1.1 gets the engine's chunks as they are, HTTP/1.0 their content", async () => {
  const chunks = "00A;k=v\r\n0123456789\r\n1\r\nx\r\n";
  await using engine = await engineThat((socket) => socket.write(`${STREAM}${chunks}0\r\n\r\n`));
  await using router = await relayUnderTest(engine.address);
  const modern = new RawHttpClient(router.front.port);
  modern.send(`POST /v1/x HTTP/1.1\r\nConnection: close\r\n${LINES}\r\n${BODY}`);
  await modern.closed();
  assert.match(modern.rest, /\r\ntransfer-encoding: chunked\r\n/i);
  assert.equal(modern.rest.split("\r\n\r\n")[1], `${chunks}0`);
  const old = new RawHttpClient(router.front.port);
  old.send(`POST /v1/x HTTP/1.0\r\n${LINES}\r\n${BODY}`);
  await old.closed();
  assert.doesNotMatch(old.rest, /transfer-encoding/i);
  assert.equal(old.rest.split("\r\n\r\n")[1], "0123456789x");
});

test("relay-hazards: drain: a slow client stops its own engine and no other", async () => {
  const engines: Socket[] = [];
  await using engine = await engineThat((socket) => {
    engines.push(socket);
    socket.write(STREAM);
  });
  await using router = await relayUnderTest(engine.address);
  const [slow, quick] = [0, 1].map(() => new RawHttpClient(router.front.port).send(POST));
  assert.ok(slow !== undefined && quick !== undefined);
  await eventually(() => engines.length === 2);
  slow.socket.pause();
  const part = `10000\r\n${"x".repeat(65_536)}\r\n`;
  for (const socket of engines) while (socket.writableLength < 4e6) socket.write(part);
  // One of the two is drained, and that one belongs to the client that reads.
  await eventually(() => engines.some((socket) => socket.writableLength === 0));
  for (const socket of engines) socket.write("0\r\n\r\n");
  const whole = (await quick.answer()).body.length;
  slow.socket.resume();
  assert.equal((await slow.answer()).body.length % 65_536, 0);
  assert.equal(whole % 65_536, 0);
  slow.socket.destroy();
  quick.socket.destroy();
});

test("relay-hazards: static read buffer: what waits for a slow client is not overwritten by other reads", async () => {
  let count = 0;
  await using engine = await engineThat((socket) => {
    const letter = String.fromCharCode(0x61 + count++);
    socket.write(STREAM);
    for (let i = 0; i < 200; i++) socket.write(`4000\r\n${letter.repeat(0x4000)}\r\n`);
    socket.write("0\r\n\r\n");
  });
  await using router = await relayUnderTest(engine.address);
  const clients = Array.from({ length: 6 }, () => new RawHttpClient(router.front.port));
  for (const client of clients) {
    client.socket.pause();
    client.send(POST);
  }
  await eventually(() => count === 6);
  await delay(100);
  for (const client of clients) client.socket.resume();
  const bodies = await Promise.all(clients.map(async (client) => (await client.answer()).body));
  for (const body of bodies) {
    assert.equal(body.length, 200 * 0x4000);
    assert.equal(body, body.charAt(0).repeat(body.length));
  }
  assert.equal(new Set(bodies.map((body) => body.charAt(0))).size, 6);
  for (const client of clients) client.socket.destroy();
});

const cuts = [
  { name: "a chunk", answer: "5\r\nhel" },
  { name: "a size line", answer: "5\r\nhello\r\n1" },
  { name: "the last chunk", answer: "5\r\nhello\r\n0\r\n" },
  { name: "trailers", answer: "5\r\nhello\r\n0\r\nx: 1\r\n" },
  { name: "broken framing", answer: "5\r\nhello\r\nzz\r\n" },
];
for (const { name, answer } of cuts) {
  test(`relay-hazards: cut: an answer that ends within ${name} never looks complete`, async () => {
    await using engine = await engineThat((socket) => socket.end(STREAM + answer));
    await using router = await relayUnderTest(engine.address);
    const client = new RawHttpClient(router.front.port).send(POST);
    await assert.rejects(client.answer(), /ended within an answer/);
    assert.doesNotMatch(client.rest, /0\r\n/);
    await eventually(() => router.reports.length === 1);
    assert.equal(router.reports[0]?.how, "connection-lost");
  });
}

test("relay-hazards: abort: a client that half-closes has left, as one that is killed looks the same", async () => {
  let isClosed = false;
  await using engine = await engineThat((socket) => {
    socket.write(`${STREAM}1\r\na\r\n`);
    socket.on("close", () => {
      isClosed = true;
    });
  });
  await using router = await relayUnderTest(engine.address);
  const client = new RawHttpClient(router.front.port).send(POST);
  await eventually(() => client.rest.endsWith("a\r\n"));
  client.socket.end();
  await eventually(() => isClosed);
  await eventually(() => router.reports.length === 1);
  assert.equal(router.reports[0]?.how, "client-left");
  client.socket.destroy();
});

test("relay-hazards: silence: a stream's gap outlives the keep-alive limit, an idle connection does not", async () => {
  await using engine = await engineThat((socket) => {
    socket.write(`${STREAM}1\r\na\r\n`);
    setTimeout(() => socket.write("1\r\nb\r\n0\r\n\r\n"), 1500);
  });
  await using router = await relayUnderTest(engine.address, {
    front: { keepAliveTimeoutMs: 50, headersTimeoutMs: 400, requestTimeoutMs: 400 },
  });
  const client = new RawHttpClient(router.front.port).send(POST);
  assert.equal((await client.answer()).body, "ab");
  await client.closed();
});

test("relay-hazards: expectation: 100 Continue comes from the front, before the body is sent", async () => {
  await using engine = await engineThat((socket) => socket.write(`${STREAM}1\r\na\r\n0\r\n\r\n`));
  await using router = await relayUnderTest(engine.address);
  const client = new RawHttpClient(router.front.port);
  client.send(`POST /v1/x HTTP/1.1\r\nExpect: 100-continue\r\n${LINES}\r\n`);
  assert.equal((await client.answer()).status, 100);
  assert.equal((await client.send(BODY).answer()).body, "a");
  client.socket.destroy();
});

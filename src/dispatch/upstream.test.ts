import assert from "node:assert/strict";
import type { IncomingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { eventually } from "../../test/fixtures/eventually.ts";
import type { RouterError } from "../core/router-error.ts";
import { deadAddress, startRawEngine } from "./dispatch-rig.test.ts";
import { Lane } from "./lane.ts";
import { Upstream, type UpstreamRequest, type UpstreamSink } from "./upstream.ts";
import { UpstreamExchange } from "./upstream-exchange.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const LIMITS = { connectTimeoutMs: 5000, connectionsPerEndpoint: 8 };

/** Answers the n-th request of the n-th connection; both count from 1. */
type Script = (socket: Socket, connection: number, request: number, text: string) => void;

/** An engine that takes requests without a body, or with a short one, one read each. */
async function scripted(script: Script) {
  let connectionCount = 0;
  let openCount = 0;
  const engine = await startRawEngine((socket) => {
    const connection = ++connectionCount;
    let request = 0;
    openCount++;
    socket.on("close", () => openCount--);
    socket.on("data", (bytes) => script(socket, connection, ++request, bytes.toString("latin1")));
  });
  return {
    address: engine.address,
    counts: () => ({ connectionCount, openCount }),
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

/** What became of one call. */
class Seen implements UpstreamSink {
  status = 0;
  text = "";
  trailers: IncomingHttpHeaders = {};
  fault: RouterError | undefined;
  readonly #over = Promise.withResolvers<this>();

  head({ status }: { status: number }): void {
    this.status = status;
  }

  data(chunk: Buffer): void {
    this.text += chunk.toString("latin1");
  }

  end(trailers: IncomingHttpHeaders): void {
    this.trailers = trailers;
    this.#over.resolve(this);
  }

  failed(fault: RouterError): void {
    this.fault = fault;
    this.#over.resolve(this);
  }

  over(): Promise<this> {
    return this.#over.promise;
  }
}

function ask(
  upstream: Upstream,
  address: string,
  more: Partial<UpstreamRequest> = {},
): Promise<Seen> {
  const seen = new Seen();
  const body = [Buffer.from("{}")];
  upstream.send({ address, method: "POST", path: "/", headers: [], body, ...more }, seen);
  return seen.over();
}

test("upstream: a kept connection that dies unanswered costs one repetition, not the request", async () => {
  await using engine = await scripted((socket, connection, request) => {
    if (connection === 1 && request === 2) socket.destroy();
    else socket.write(OK);
  });
  const upstream = new Upstream(LIMITS);
  assert.equal((await ask(upstream, engine.address)).text, "ok");
  const second = await ask(upstream, engine.address);
  assert.equal(second.fault, undefined);
  assert.equal(second.text, "ok");
  assert.equal(engine.counts().connectionCount, 2);
  await upstream.close();
});

test("upstream: a request is repeated once only, and never on a connection of its own", async () => {
  let requestCount = 0;
  await using engine = await scripted((socket) => {
    requestCount++;
    if (requestCount === 1) socket.write(OK);
    else socket.resetAndDestroy();
  });
  const upstream = new Upstream(LIMITS);
  await ask(upstream, engine.address);
  const { fault } = await ask(upstream, engine.address);
  assert.equal(fault?.code, "ROUTER_UPSTREAM_RESET");
  assert.equal(fault?.isRetryable, true);
  assert.equal(requestCount, 3);
  await ask(upstream, engine.address);
  assert.equal(requestCount, 4);
  await upstream.close();
});

test("upstream: nothing is repeated after a byte of the answer, nor a body that was read from its source", async () => {
  await using keeping = await scripted((socket, _connection, request) => {
    if (request === 1) socket.write(OK);
    else socket.end("HTTP/1.1 2");
  });
  const upstream = new Upstream(LIMITS);
  await ask(upstream, keeping.address);
  const begun = await ask(upstream, keeping.address);
  assert.equal(begun.fault?.isRetryable, false);
  assert.equal(keeping.counts().connectionCount, 1);

  await using streaming = await scripted((socket, _connection, request) => {
    if (request === 1) socket.write(OK);
    else socket.destroy();
  });
  await ask(upstream, streaming.address);
  const body = new PassThrough();
  const lost = ask(upstream, streaming.address, { body });
  body.write("part");
  assert.equal((await lost).fault?.code, "ROUTER_UPSTREAM_RESET");
  assert.equal(streaming.counts().connectionCount, 1);
  assert.equal(body.destroyed, true);
  await upstream.close();
});

const dropped = [
  { name: "bytes behind the answer", answer: `${OK}x` },
  {
    name: "Connection: close",
    answer: "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
  },
  { name: "an answer of HTTP/1.0", answer: "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok" },
];
for (const { name, answer } of dropped) {
  test(`upstream: after ${name} the connection is not used again`, async () => {
    await using engine = await scripted((socket) => socket.write(answer));
    const upstream = new Upstream(LIMITS);
    for (let i = 1; i <= 2; i++) {
      assert.equal((await ask(upstream, engine.address)).text, "ok");
      assert.equal(engine.counts().connectionCount, i);
    }
    await eventually(() => engine.counts().openCount === 0);
    await upstream.close();
  });
}

test("upstream: an engine that speaks on an idle connection loses it", async () => {
  let first: Socket | undefined;
  await using engine = await scripted((socket) => {
    first ??= socket;
    socket.write(OK);
  });
  const upstream = new Upstream(LIMITS);
  await ask(upstream, engine.address);
  first?.write("HTTP/1.1 200 OK\r\n");
  await eventually(() => engine.counts().openCount === 0);
  assert.equal((await ask(upstream, engine.address)).text, "ok");
  await upstream.close();
});

test("upstream: an idle connection is closed before uvicorn closes it after five seconds", async () => {
  await using engine = await scripted((socket) => socket.write(OK));
  const readBuffer = Buffer.alloc(4096);
  const options = { address: engine.address, tls: undefined, connectTimeoutMs: 5000, readBuffer };
  const lane = new Lane(options, 8, () => undefined);
  const seen = new Seen();
  const outgoing = { head: "GET / HTTP/1.1\r\n\r\n", body: undefined, isBodyChunked: false };
  lane.board(new UpstreamExchange("GET", outgoing, seen, lane));
  assert.equal((await seen.over()).text, "ok");
  lane.closeIdle(performance.now() + 3000);
  assert.equal(engine.counts().openCount, 1);
  lane.closeIdle(performance.now() + 4500);
  await eventually(() => engine.counts().openCount === 0);
});

test("upstream: no more connections than allowed, and those who wait are served in order", async () => {
  const answering: (() => void)[] = [];
  const asked: string[] = [];
  await using engine = await scripted((socket, _connection, _request, text) => {
    asked.push(text.split(" ")[1] ?? "");
    answering.push(() => socket.write(OK));
  });
  const upstream = new Upstream({ ...LIMITS, connectionsPerEndpoint: 2 });
  const calls = Array.from({ length: 6 }, (_, i) =>
    ask(upstream, engine.address, { path: `/${i}` }),
  );
  for (let i = 0; i < 6; i++) {
    await eventually(() => answering.length > 0);
    assert.ok(asked.length <= i + 2);
    answering.shift()?.();
  }
  await Promise.all(calls);
  assert.deepEqual(asked.slice(2), ["/2", "/3", "/4", "/5"]);
  assert.equal(engine.counts().connectionCount, 2);
  await upstream.close();
});

test("upstream: trailers are those of the answer, though another request waits for its connection", async () => {
  let count = 0;
  await using engine = await scripted((socket) => {
    const chunks = `1\r\na\r\n0\r\nx-count: ${++count}\r\n\r\n`;
    socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunks}`);
  });
  const upstream = new Upstream({ ...LIMITS, connectionsPerEndpoint: 1 });
  const calls = [0, 1, 2].map(() => ask(upstream, engine.address));
  const counts = (await Promise.all(calls)).map(({ trailers }) => trailers["x-count"]);
  assert.deepEqual(counts, ["1", "2", "3"]);
  assert.equal(engine.counts().connectionCount, 1);
  await upstream.close();
});

test("upstream: an address without a listener, and one that does not get to speak TLS, are connect faults", async () => {
  await using silent = await startRawEngine(() => undefined);
  const upstream = new Upstream({ ...LIMITS, connectTimeoutMs: 50 });
  const refused = await ask(upstream, await deadAddress());
  assert.equal(refused.fault?.code, "ROUTER_UPSTREAM_CONNECT");
  assert.match(refused.fault?.message ?? "", /ECONNREFUSED/);
  const tls = { isVerifying: false };
  const late = await ask(upstream, silent.address, { tls });
  assert.equal(late.fault?.code, "ROUTER_UPSTREAM_CONNECT");
  assert.match(late.fault?.message ?? "", /ETIMEDOUT/);
  await upstream.close();
});

test("upstream: what HTTP cannot carry is refused unsent, and not before the call is there", async () => {
  let requestCount = 0;
  await using engine = await scripted(() => requestCount++);
  const upstream = new Upstream(LIMITS);
  for (const wrong of [
    { path: "/a b" },
    { path: "/\r\nx: 1" },
    { method: "PO ST" },
    { headers: ["x-a", "1\r\nx-b: 2"] },
    { headers: ["x a", "1"] },
    { headers: ["x-a", "\u20ac"] },
  ]) {
    const seen = new Seen();
    const request = { address: engine.address, method: "POST", path: "/", headers: [] };
    upstream.send({ ...request, body: undefined, ...wrong }, seen);
    assert.equal(seen.fault, undefined);
    const { fault } = await seen.over();
    assert.equal(fault?.code, "ROUTER_UPSTREAM_PROTOCOL");
    assert.equal(fault?.source, "client");
  }
  assert.equal(requestCount, 0);
  await upstream.close();
});

test("upstream: a sink that throws ends its own request and no other", async () => {
  await using engine = await scripted((socket) => socket.write(OK));
  const upstream = new Upstream(LIMITS);
  for (const step of ["head", "data", "end"] as const) {
    const seen = new Seen();
    const sink: UpstreamSink = {
      head: (head) => seen.head(head),
      data: (chunk) => seen.data(chunk),
      end: (trailers) => seen.end(trailers),
      failed: (fault) => seen.failed(fault),
      [step]: () => {
        throw new Error(step);
      },
    };
    const request = { address: engine.address, method: "GET", path: "/", headers: [] };
    upstream.send({ ...request, body: undefined }, sink);
    const { fault } = await seen.over();
    assert.equal(fault?.source, "router", step);
    assert.equal((await ask(upstream, engine.address)).text, "ok");
  }
  await upstream.close();
});

test("upstream: a body that comes is sent in chunks or with its length, and one that breaks off ends the request", async () => {
  const received: string[] = [];
  await using engine = await startRawEngine((socket) => {
    let text = "";
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      if (!/\r\n\r\n(?:3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n|abcde)$/.test(text)) return;
      received.push(text.slice(text.indexOf("\r\n\r\n") + 4));
      socket.write(OK);
      text = "";
    });
  });
  const upstream = new Upstream(LIMITS);
  for (const headers of [[], ["Content-Length", "5"]]) {
    const body = new PassThrough();
    const answer = ask(upstream, engine.address, { headers, body });
    body.write("abc");
    await new Promise((resolve) => setTimeout(resolve, 5));
    body.end("de");
    assert.equal((await answer).text, "ok");
  }
  assert.deepEqual(received, ["3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde"]);
  const body = new PassThrough();
  const broken = ask(upstream, engine.address, { body });
  body.write("abc");
  body.destroy();
  assert.equal((await broken).fault?.source, "client");
  await upstream.close();
});

test("upstream: a forgotten address loses its idle connections at once, the others after their answer", async () => {
  const answering: (() => void)[] = [];
  await using engine = await scripted((socket, connection) => {
    if (connection === 1) socket.write(OK);
    else answering.push(() => socket.write(OK));
  });
  const upstream = new Upstream(LIMITS);
  const [, ...slow] = [0, 1].map(() => ask(upstream, engine.address));
  await eventually(() => answering.length === 1);
  upstream.forget(engine.address);
  await eventually(() => engine.counts().openCount === 1);
  answering[0]?.();
  assert.equal((await slow[0])?.text, "ok");
  await eventually(() => engine.counts().openCount === 0);
  await upstream.close();
});

import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import { request as send } from "undici";
import {
  connectTo,
  deadAddress,
  exchangeBytes,
  startEngine,
  startRawEngine,
  startRig,
  targetAt,
} from "./dispatch-rig.test.ts";

const CHAT = "/v1/chat/completions";
const REQUEST = `POST ${CHAT} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}`;
const post = (address: string): ReturnType<typeof send> =>
  send(`http://${address}${CHAT}`, { method: "POST", body: '{"a":1}' });
const echo = (): ReturnType<typeof startEngine> =>
  startEngine((request, response) => {
    request.pipe(response.writeHead(200));
  });

test("failures: a refused connection is reported and another endpoint answers", async () => {
  await using engine = await echo();
  await using rig = await startRig(await deadAddress(), {
    fallbacks: [targetAt(engine.address, 1)],
  });
  const answer = await post(rig.address);
  assert.equal(answer.statusCode, 200);
  assert.equal(answer.headers["x-switchyard-endpoint"], "engine-1");
  assert.equal(await answer.body.text(), '{"a":1}');
  const report = await rig.nextReport();
  assert.equal(report.endpoint, "engine-1");
  assert.deepEqual(report.outcome.retryReasons, ["connect-failed"]);
  assert.deepEqual(rig.core.calls, [
    "health 0 false",
    "retry 7 engine-0",
    "firstByte 7",
    "end 7 completed",
  ]);
});

test("failures: an engine that closes before it answers is left for another, but stays healthy", async () => {
  await using engine = await echo();
  await using dying = await startRawEngine((socket) => socket.once("data", () => socket.destroy()));
  await using rig = await startRig(dying.address, { fallbacks: [targetAt(engine.address, 1)] });
  assert.equal((await post(rig.address)).statusCode, 200);
  const { outcome } = await rig.nextReport();
  assert.deepEqual(outcome.retryReasons, ["connection-lost"]);
  assert.equal(rig.core.calls[0], "retry 7 engine-0");
});

test("failures: 503 is retried, and the last 503 is relayed", async () => {
  const busy = (text: string): ReturnType<typeof startEngine> =>
    startEngine((_request, response) => {
      response.writeHead(503, { "retry-after": "9" }).end(text);
    });
  await using first = await busy("first");
  await using second = await busy("second");
  await using rig = await startRig(first.address, { fallbacks: [targetAt(second.address, 1)] });
  const answer = await post(rig.address);
  assert.equal(answer.statusCode, 503);
  assert.equal(answer.headers["retry-after"], "9");
  assert.equal(await answer.body.text(), "second");
  const report = await rig.nextReport();
  assert.equal(report.how, "engine-error");
  assert.deepEqual(report.outcome.retryReasons, ["engine-busy"]);
});

test("failures: the retry limit holds and the error says what happened", async () => {
  let hitCount = 0;
  await using dying = await startRawEngine((socket) =>
    socket.once("data", () => {
      hitCount++;
      socket.resetAndDestroy();
    }),
  );
  const fallbacks = [1, 2, 3, 4].map((slot) => targetAt(dying.address, slot));
  await using rig = await startRig(dying.address, { fallbacks, limits: { retryLimit: 2 } });
  const answer = await post(rig.address);
  assert.equal(answer.statusCode, 502);
  assert.equal(answer.headers["x-request-id"], "req-1");
  assert.equal(answer.headers["x-switchyard-endpoint"], "engine-2");
  assert.deepEqual(await answer.body.json(), {
    error: {
      message: "engine closed the connection before it answered",
      type: "upstream_error",
      param: null,
      code: "upstream_error",
    },
  });
  assert.equal(hitCount, 3);
  const report = await rig.nextReport();
  assert.equal(report.how, "connection-lost");
  assert.equal(report.outcome.status, 502);
  assert.deepEqual(rig.core.calls, [
    "retry 7 engine-0",
    "retry 7 engine-1",
    "end 7 connection-lost",
  ]);
});

const breaks = [
  { name: "chunked", bytes: "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n" },
  { name: "with a length", bytes: "content-length: 10\r\n\r\nhello" },
];
for (const { name, bytes } of breaks) {
  for (const how of ["end", "resetAndDestroy"] as const) {
    test(`failures: a body ${name} that breaks by ${how} cuts the client and is not retried`, async () => {
      await using dying = await startRawEngine((socket) =>
        socket.once("data", () => {
          socket.write(`HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n${bytes}`);
          setTimeout(() => socket[how](), 20);
        }),
      );
      await using other = await echo();
      await using rig = await startRig(dying.address, { fallbacks: [targetAt(other.address, 1)] });
      const answer = await post(rig.address);
      assert.equal(answer.statusCode, 200);
      await assert.rejects(answer.body.text());
      const report = await rig.nextReport();
      assert.equal(report.how, "connection-lost");
      assert.equal(report.outcome.responseBytes, 5);
      assert.deepEqual(rig.core.calls, ["firstByte 7", "end 7 connection-lost"]);
    });
  }
}

test("failures: a half-written head is no reason to ask another endpoint", async () => {
  await using dying = await startRawEngine((socket) =>
    socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-")),
  );
  await using rig = await startRig(dying.address, { fallbacks: [targetAt(dying.address, 1)] });
  assert.equal((await post(rig.address)).statusCode, 502);
  assert.deepEqual(rig.core.calls, ["end 7 connection-lost"]);
});

test("failures: an answer that is not HTTP is a 502", async () => {
  await using odd = await startRawEngine((socket) =>
    socket.once("data", () => socket.write("HTTP/9 what\r\n\r\n")),
  );
  await using rig = await startRig(odd.address, { fallbacks: [targetAt(odd.address, 1)] });
  assert.equal((await post(rig.address)).statusCode, 502);
  assert.deepEqual(rig.core.calls, ["end 7 connection-lost"]);
});

const partings = [
  { name: "before the engine answers", head: "" },
  {
    name: "within a stream",
    head: "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n",
  },
];
for (const { name, head } of partings) {
  test(`failures: a client that leaves ${name} ends the engine's request at once`, async () => {
    const engineClosed = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    await using engine = await startRawEngine((socket) => {
      socket.once("data", () => {
        socket.write(head);
        asked.resolve();
      });
      socket.once("close", () => engineClosed.resolve());
    });
    await using rig = await startRig(engine.address);
    const client = connectTo(rig.address);
    client.write(REQUEST);
    await asked.promise;
    if (head !== "") await once(client, "data");
    client.destroy();
    await engineClosed.promise;
    const report = await rig.nextReport();
    assert.equal(report.how, "client-left");
    assert.equal(report.outcome.status, 499);
    assert.equal(rig.core.ends.length, 1);
  });
}

test("failures: a client that leaves while its request waits for a connection is forgotten", async () => {
  const sockets: Socket[] = [];
  const asked = Promise.withResolvers<void>();
  await using engine = await startRawEngine((socket) => {
    sockets.push(socket);
    socket.once("data", () => asked.resolve());
  });
  await using rig = await startRig(engine.address, { limits: { connectionsPerEndpoint: 1 } });
  const holder = connectTo(rig.address);
  holder.write(REQUEST);
  await asked.promise;
  const waiting = connectTo(rig.address);
  waiting.write(REQUEST);
  waiting.end();
  assert.equal((await rig.nextReport()).how, "client-left");
  assert.equal(sockets.length, 1);
  const third = exchangeBytes(rig.address, REQUEST);
  sockets[0]?.write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na");
  sockets[0]?.once("data", () =>
    sockets[0]?.write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nb"),
  );
  assert.match(await third, /\r\n\r\nb$/);
  assert.equal(sockets.length, 1);
});

const silences = [
  { name: "no head", head: "", limits: { firstByteTimeoutMs: 40 }, status: 504 },
  {
    name: "no body after the head",
    head: "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n",
    limits: { firstByteTimeoutMs: 40 },
    status: 200,
  },
  {
    name: "a gap within the body",
    head: "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
    limits: { gapTimeoutMs: 40 },
    status: 200,
  },
];
for (const { name, head, limits, status } of silences) {
  test(`failures: ${name} ends as a timeout`, async () => {
    const engineClosed = Promise.withResolvers<void>();
    await using engine = await startRawEngine((socket) => {
      socket.once("data", () => socket.write(head));
      socket.once("close", () => engineClosed.resolve());
    });
    await using rig = await startRig(engine.address, {
      limits,
      fallbacks: [targetAt(engine.address, 1)],
    });
    const text = await exchangeBytes(rig.address, REQUEST);
    assert.ok(text.startsWith(`HTTP/1.1 ${status}`), text);
    assert.equal(text.includes('"type":"timeout"'), status === 504);
    await engineClosed.promise;
    const report = await rig.nextReport();
    assert.equal(report.how, "timeout");
    assert.equal(report.outcome.status, status);
    assert.equal(report.outcome.retryCount, 0);
  });
}

test("failures: a stream that goes on outlives the gap limit", async () => {
  await using engine = await startRawEngine((socket) => {
    let count = 0;
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n");
    const tick = setInterval(() => {
      socket.write("x");
      count++;
      if (count === 15) clearInterval(tick);
    }, 100);
  });
  await using rig = await startRig(engine.address, { limits: { gapTimeoutMs: 1000 } });
  assert.equal(await (await post(rig.address)).body.text(), "x".repeat(15));
});

test("failures: slow engine time stretches a deadline", async () => {
  await using engine = await startRawEngine((socket) => {
    setTimeout(() => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na"), 200);
  });
  await using rig = await startRig(engine.address, {
    limits: { firstByteTimeoutMs: 50 },
    timeScale: 0.001,
  });
  assert.equal((await post(rig.address)).statusCode, 200);
});

test("failures: closing the dispatcher cuts what is under way, once each", async () => {
  const asked = Promise.withResolvers<void>();
  await using engine = await startRawEngine((socket) => {
    socket.once("data", () => asked.resolve());
  });
  await using rig = await startRig(engine.address, { fallbacks: [targetAt(engine.address, 1)] });
  const answer = post(rig.address);
  await asked.promise;
  await rig.dispatcher.close();
  assert.equal((await answer).statusCode, 502);
  assert.deepEqual(rig.core.calls, ["end 7 connection-lost"]);
});

test("failures: forgetting an address lets its requests end", async () => {
  const { promise: forgotten, resolve: goOn } = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  await using engine = await startEngine((_request, response) => {
    asked.resolve();
    forgotten.then(() => response.end("late"), assert.fail);
  });
  await using rig = await startRig(engine.address);
  const answer = post(rig.address);
  await asked.promise;
  rig.dispatcher.forget(engine.address);
  goOn();
  assert.equal(await (await answer).body.text(), "late");
});

test("failures: pipelined requests are answered in order, and all of them end with the connection", async () => {
  let openCount = 0;
  const bothOpen = Promise.withResolvers<void>();
  await using engine = await startEngine((request, response) => {
    request.resume();
    if (request.url !== "/v1/hang") {
      request.once("end", () => response.end(request.url));
      return;
    }
    openCount++;
    if (openCount === 2) bothOpen.resolve();
  });
  await using rig = await startRig(engine.address);
  const at = (path: string, more = ""): string =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\n${more}Content-Length: 2\r\n\r\n{}`;
  const text = await exchangeBytes(
    rig.address,
    at("/v1/a") + at("/v1/b") + at("/v1/c", "Connection: close\r\n"),
  );
  assert.deepEqual(text.match(/\/v1\/[abc]/g), ["/v1/a", "/v1/b", "/v1/c"]);
  for (let i = 0; i < 3; i++) assert.equal((await rig.nextReport()).how, "completed");
  const client = connectTo(rig.address);
  client.write(at("/v1/hang") + at("/v1/hang"));
  await bothOpen.promise;
  client.destroy();
  for (let i = 0; i < 2; i++) assert.equal((await rig.nextReport()).how, "client-left");
});

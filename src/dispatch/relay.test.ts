import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { request as send } from "undici";
import { endpointId } from "../core/brand.ts";
import {
  connectTo,
  exchangeBytes,
  pieces,
  startEngine,
  startRawEngine,
  startRig,
} from "./dispatch-rig.test.ts";

const CHAT = "/v1/chat/completions";
const STREAM =
  'data: {"choices":[{"delta":{"content":"é"}}],"usage":null}\n\n' +
  ': ping\n\ndata: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,' +
  '"prompt_tokens_details":{"cached_tokens":4}}}\r\n\r\ndata: [DONE]\n\n';

test("relay: status, headers and bytes pass in both directions, hop-by-hop and routing ones do not", async () => {
  let seen: { method: string; url: string; headers: string[]; body: string } | undefined;
  await using engine = await startEngine((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      seen = {
        method: request.method ?? "",
        url: request.url ?? "",
        headers: request.rawHeaders,
        body,
      };
      response.writeHead(
        418,
        [
          ["X-Engine", "a"],
          ["x-engine", "b"],
          ["X-Switchyard-Kv", "bytes=1"],
          ["Connection", "x-hop"],
          ["x-hop", "1"],
          ["x-request-id", "engine's"],
          ["Content-Length", "2"],
        ].flat(),
      );
      response.end("ok");
    });
  });
  await using rig = await startRig(engine.address, {
    plan: {
      setHeaders: new Map([["x-prefiller-host-port", "10.0.0.1:8000"]]),
      removeHeaders: ["x-secret"],
    },
  });
  const answer = await exchangeBytes(
    rig.address,
    `POST ${CHAT} HTTP/1.1\r\nHost: public\r\nConnection: close, x-mine\r\nX-Mine: 1\r\nX-Secret: 1\r\n` +
      "X-Prefiller-Host-Port: evil:1\r\nx-switchyard-pd: outcome=remote\r\nAccept-Encoding: gzip\r\n" +
      "X-Kept: Yes\r\nTE: trailers\r\nx-request-id: mine\r\nTransfer-Encoding: chunked\r\n\r\n" +
      '5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n',
  );
  assert.ok(seen);
  assert.equal(seen.method, "POST");
  assert.equal(seen.url, CHAT);
  assert.equal(seen.body, '{"a":1}');
  const sent = new Map<string, string>();
  for (let i = 0; i < seen.headers.length; i += 2) {
    sent.set((seen.headers[i] as string).toLowerCase(), seen.headers[i + 1] as string);
  }
  assert.deepEqual(Object.fromEntries(sent), {
    host: engine.address,
    connection: "keep-alive",
    "x-kept": "Yes",
    "x-prefiller-host-port": "10.0.0.1:8000",
    "x-request-id": "req-1",
    "accept-encoding": "identity",
    "content-length": "7",
  });
  const [head = "", body] = answer.split("\r\n\r\n");
  assert.equal(body, "ok");
  assert.match(head, /^HTTP\/1\.1 418 /);
  for (const line of [
    "X-Engine: a",
    "x-engine: b",
    "Content-Length: 2",
    "x-request-id: req-1",
    "x-switchyard-endpoint: engine-0",
    "x-switchyard-decision: pool.7",
  ]) {
    assert.ok(head.includes(`\r\n${line}`), line);
  }
  assert.doesNotMatch(head, /x-hop|kv|engine's|prefill/i);
  const report = await rig.nextReport();
  assert.equal(report.how, "completed");
  assert.equal(report.outcome.status, 418);
  assert.equal(report.outcome.responseBytes, 2);
  assert.deepEqual(rig.core.calls, ["firstByte 7", "end 7 completed"]);
});

test("relay: edits of the plan change the body and its length", async () => {
  await using engine = await startEngine((request, response) => {
    request.pipe(response.writeHead(200, { "x-length": request.headers["content-length"] ?? "" }));
  });
  await using rig = await startRig(engine.address, {
    plan: { edits: [{ start: 6, end: 9, text: '"ü"' }] },
  });
  const answer = await send(`http://${rig.address}${CHAT}`, { method: "POST", body: '{"m": "a"}' });
  assert.equal(answer.headers["x-length"], "11");
  assert.equal(await answer.body.text(), '{"m": "ü"}');
});

test("relay: a JSON answer's usage and the engine's own errors are reported", async () => {
  await using engine = await startEngine((request, response) => {
    response.writeHead(request.url === CHAT ? 200 : 500, { "content-type": "application/json" });
    response.end('{"x":{"usage":1},"usage":{"prompt_tokens":5,"completion_tokens":1}}');
  });
  await using rig = await startRig(engine.address);
  const fine = await send(`http://${rig.address}${CHAT}`, { method: "POST", body: "{}" });
  await fine.body.dump();
  const { outcome } = await rig.nextReport();
  assert.deepEqual(outcome.usage, { promptTokens: 5, completionTokens: 1, cachedTokens: null });
  assert.equal(outcome.chunkCount, 0);
  assert.equal(outcome.itlMs, null);
  assert.ok(outcome.ttftMs !== null && outcome.ttftMs <= outcome.e2eMs);
  const failed = await send(`http://${rig.address}/v1/other`, { method: "POST", body: "{}" });
  assert.equal(failed.statusCode, 500);
  assert.match(await failed.body.text(), /usage/);
  assert.equal((await rig.nextReport()).how, "engine-error");
});

test("relay: a stream passes unchanged however its chunks are cut", async () => {
  let parts: Buffer[] = [];
  await using engine = await startEngine((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    const write = async (): Promise<void> => {
      for (const part of parts) {
        response.write(part);
        await nextTurn();
      }
      response.end();
    };
    write().catch((error: unknown) => response.destroy(error as Error));
  });
  await using rig = await startRig(engine.address);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(), { maxLength: 12 }), async (cuts) => {
      parts = pieces(Buffer.from(STREAM), cuts).filter((part) => part.length > 0);
      rig.gaps.length = 0;
      const answer = await send(`http://${rig.address}${CHAT}`, { method: "POST", body: "{}" });
      assert.equal(await answer.body.text(), STREAM);
      const { outcome } = await rig.nextReport();
      assert.equal(outcome.chunkCount, 2);
      assert.equal(rig.gaps.length, 1);
      assert.ok(Math.abs((outcome.itlMs ?? -1) - (rig.gaps[0] ?? 0)) <= 0.001);
      assert.deepEqual(outcome.usage, { promptTokens: 9, completionTokens: 2, cachedTokens: 4 });
    }),
    { numRuns: 40 },
  );
});

test("relay: an event reaches the client while the stream goes on, to a client of HTTP/1.0 too", async () => {
  for (const version of ["1.1", "1.0"]) {
    const { promise: seen, resolve: goOn } = Promise.withResolvers<void>();
    await using engine = await startEngine((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: 1\n\n");
      seen.then(() => response.end("data: [DONE]\n\n"), assert.fail);
    });
    await using rig = await startRig(engine.address);
    const socket = connectTo(rig.address);
    socket.write(
      `POST ${CHAT} HTTP/${version}\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}`,
    );
    let text = "";
    socket.on("data", (part: Buffer) => {
      text += part.toString("latin1");
      if (text.includes("data: 1\n\n")) goOn();
    });
    await once(socket, "close");
    assert.ok(text.includes("data: [DONE]\n\n"));
    assert.equal(text.toLowerCase().includes("transfer-encoding: chunked"), version === "1.1");
  }
});

test("relay: an answer that comes before the body was read is the answer", async () => {
  await using engine = await startRawEngine((socket) => {
    socket.once("data", () => {
      socket.pause();
      socket.write("HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig");
    });
  });
  await using rig = await startRig(engine.address);
  const body = Buffer.alloc(16 * 1024 * 1024, 0x20);
  const answer = await send(`http://${rig.address}${CHAT}`, { method: "POST", body });
  assert.equal(answer.statusCode, 413);
  assert.equal(await answer.body.text(), "big");
});

test("relay: informational answers are skipped", async () => {
  await using engine = await startRawEngine((socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\n");
      socket.write("content-length: 2\r\n\r\nok");
    });
  });
  await using rig = await startRig(engine.address);
  const answer = await send(`http://${rig.address}${CHAT}`, { method: "POST", body: "{}" });
  assert.equal(answer.statusCode, 200);
  assert.equal(answer.headers["link"], undefined);
  assert.equal(await answer.body.text(), "ok");
});

for (const { method, status } of [
  { method: "HEAD", status: 200 },
  { method: "POST", status: 204 },
  { method: "POST", status: 304 },
]) {
  test(`relay: ${method} with ${status} has no body and the connection serves on`, async () => {
    await using engine = await startEngine((_request, response) => {
      response.writeHead(status, status === 204 ? {} : { "content-length": "5" }).end();
    });
    await using rig = await startRig(engine.address);
    const request = `${method} ${CHAT} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n`;
    const text = await exchangeBytes(
      rig.address,
      `${request}\r\n${request}Connection: close\r\n\r\n`,
    );
    const heads = text.split("\r\n\r\n");
    assert.equal(heads.length, 3);
    assert.equal(heads[2], "");
    assert.ok(heads[0]?.startsWith(`HTTP/1.1 ${status}`) && heads[1]?.startsWith("HTTP/1.1"));
    assert.doesNotMatch(text, /transfer-encoding/i);
    assert.equal(rig.core.calls.includes("firstByte 7"), false);
  });
}

test("relay: a chunked answer whose turn has not come waits in order, whole", async () => {
  let askedCount = 0;
  await using engine = await startEngine((request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "text/event-stream" });
    const end = (): unknown => response.end(`data: ${request.url}\n\n`);
    // The second answer is complete before the first one begins.
    if (request.url === "/v1/b") end();
    else setTimeout(end, 50);
    askedCount++;
  });
  await using rig = await startRig(engine.address);
  const at = (path: string, more = ""): string =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\n${more}Content-Length: 2\r\n\r\n{}`;
  const bytes = at("/v1/a") + at("/v1/b", "Connection: close\r\n");
  const text = await exchangeBytes(rig.address, bytes);
  assert.equal(askedCount, 2);
  assert.match(
    text,
    /data: \/v1\/a\n\n\r\n0\r\n\r\nHTTP\/1.1 200 .*data: \/v1\/b\n\n\r\n0\r\n\r\n$/s,
  );
});

test("relay: a slow client holds the engine back", async () => {
  const total = 96 * 1024 * 1024;
  const chunk = Buffer.alloc(64 * 1024, 0x61);
  let written = 0;
  const { promise: stalled, resolve: stall } = Promise.withResolvers<void>();
  await using engine = await startEngine((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const fill = (): void => {
      while (written < total) {
        written += chunk.length;
        if (!response.write(chunk)) break;
      }
      if (written >= total) response.end();
    };
    response.on("drain", fill);
    fill();
  });
  await using rig = await startRig(engine.address);
  const socket = connectTo(rig.address);
  socket.pause();
  socket.write(
    `POST ${CHAT} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}`,
  );
  let before = -1;
  const watch = setInterval(() => {
    if (written === before && written > 0) stall();
    before = written;
  }, 300);
  await stalled;
  clearInterval(watch);
  // What is on its way is in kernel buffers, which grow to some 6 MB a connection.
  assert.ok(written < total / 2, `the engine wrote ${written} bytes to a client that reads none`);
  let received = 0;
  socket.on("data", (part: Buffer) => {
    received += part.length;
  });
  socket.resume();
  await once(socket, "close");
  assert.ok(received > total);
  assert.equal((await rig.nextReport()).outcome.responseBytes, total);
});

test("relay: what a sidecar tells is recorded and does not reach the client", async () => {
  await using engine = await startEngine((_request, response) => {
    response.writeHead(200, {
      "content-type": "text/event-stream",
      trailer: "x-switchyard-pd",
      "x-switchyard-pd":
        "outcome=remote; prefill-ms=12.5; prefill-endpoint=10.0.0.2:8000; handle-blocks=3",
    });
    response.write("data: {}\n\n");
    response.addTrailers({ "x-switchyard-pd": "decode-cached-tokens=64" });
    response.end();
  });
  const prefill = ["10.0.0.1:8000", "10.0.0.2:8000"].map((address, i) => ({
    slot: i,
    generation: 1,
    id: endpointId(`prefill-${i}`),
    address,
  }));
  await using rig = await startRig(engine.address, { plan: { prefill } });
  const answer = await send(`http://${rig.address}${CHAT}`, { method: "POST", body: "{}" });
  await answer.body.dump();
  assert.equal(answer.headers["x-switchyard-pd"], undefined);
  assert.equal(answer.headers["trailer"], undefined);
  assert.equal(answer.headers["x-switchyard-prefill-endpoint"], "prefill-1");
  assert.deepEqual(answer.trailers, {});
  const report = await rig.nextReport();
  assert.equal(report.prefillEndpoint, "prefill-1");
  assert.deepEqual(report.outcome.pd, {
    outcome: "remote",
    reason: null,
    prefillEndpoint: "prefill-1",
    prefillMs: 12.5,
    handleBlocks: 3,
    kvBytes: null,
    kvMs: null,
    kvHandshakeMs: null,
    prefillCachedTokens: null,
    decodeCachedTokens: 64,
  });
});

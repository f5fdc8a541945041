import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { ANSWER_SHAPES } from "./answer-shape.ts";
import { until } from "./engine-fixture.test.ts";
import { EventStream, type StreamedSequence } from "./event-stream.ts";
import { openListener } from "./http-listener.ts";

/** More than loopback sockets buffer by themselves: 20 MB of text. */
const TOKENS = 5000;
const PIECE = "x".repeat(4000);

interface Streamed {
  readonly response: ServerResponse;
  readonly client: Socket;
  readonly stalls: number[];
  readonly pieces: number[];
  release(tokens: number, isFinished: boolean): void;
}

/** A stream of one sequence over a real socket whose client reads only when told. */
async function streamFor(t: TestContext, stallTimeoutMs: number): Promise<Streamed> {
  const arrived = Promise.withResolvers<ServerResponse>();
  const listener = await openListener((_, response) => arrived.resolve(response), "127.0.0.1", 0);
  const client = connect(listener.port, "127.0.0.1").pause();
  t.after(async () => {
    client.destroy();
    await listener.close();
  });
  client.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  const response = await arrived.promise;
  const stalls: number[] = [];
  const pieces: number[] = [];
  let releasedTokens = 0;
  let isFinished = false;
  const sequence: StreamedSequence = {
    index: 0,
    toolCallId: "",
    promptTokens: 1,
    plan: {
      tokenCount: TOKENS,
      finishReason: "stop",
      tool: undefined,
      piece: (index) => {
        pieces.push(index);
        return PIECE;
      },
    },
    get releasedTokens() {
      return releasedTokens;
    },
    get isFinished() {
      return isFinished;
    },
  };
  const stream = new EventStream({
    response,
    head: { id: "cmpl-1", created: 0, model: "m" },
    shape: ANSWER_SHAPES.completion,
    options: { isUsageIncluded: false, isUsageContinuous: false },
    sequences: [sequence],
    headers: () => ({}),
    usage: () => ({ promptTokens: 1, completionTokens: releasedTokens, cachedTokens: 0 }),
    stallTimeoutMs,
    stalled: () => {
      stalls.push(pieces.length);
      response.destroy();
    },
  });
  const release: Streamed["release"] = (tokens, isLast) => {
    releasedTokens += tokens;
    isFinished = isLast;
    stream.pump();
  };
  return { response, client, stalls, pieces, release };
}

test("event-stream: a client that does not read holds no more than a write", async (t) => {
  const { response, client, pieces, release } = await streamFor(t, 600_000);
  for (let tokens = 0; tokens < TOKENS; tokens += 10) {
    release(10, tokens + 10 === TOKENS);
    assert.ok(response.writableLength <= 2 * 65_536, `${response.writableLength} bytes`);
    await new Promise(setImmediate);
  }
  assert.ok(pieces.length < TOKENS);
  let text = "";
  client.on("data", (bytes) => {
    text += bytes.toString("latin1");
  });
  client.resume();
  await once(client, "end");
  assert.deepEqual(
    pieces,
    Array.from({ length: TOKENS }, (_, index) => index),
  );
  assert.equal(text.split(PIECE).length - 1, TOKENS);
  assert.match(text, /data: \[DONE\]\n\n\r\n0\r\n\r\n$/);
});

test("event-stream: a client that never reads is cut once", async (t) => {
  const { client, stalls, pieces, release } = await streamFor(t, 20);
  client.on("error", () => undefined);
  release(TOKENS, false);
  await until(() => stalls.length > 0);
  release(0, true);
  assert.equal(stalls.length, 1);
  assert.ok(pieces.length < TOKENS);
  assert.equal(stalls[0], pieces.length);
});

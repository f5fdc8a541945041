import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:http2";
import { connect as connectTcp } from "node:net";
import test from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { ProcessingRequestSchema } from "../../src/front/extproc/gen/envoy/service/ext_proc/v3/external_processor_pb.ts";
import { frameOf } from "../../src/front/extproc/grpc-frames.ts";
import { FRAME, PREFACE } from "../../src/front/extproc/h2/h2-protocol.ts";
import { headerBlock } from "../../src/front/extproc/h2/hpack-encoder.ts";
import { PROCESS_PATH } from "../../src/front/extproc/processor-service.ts";
import { eventually } from "../fixtures/eventually.ts";
import type { ExtProcCall } from "../fixtures/extproc-client.ts";
import { ASKED, type ExtProcUnderTest, extProcUnderTest } from "../fixtures/extproc-under-test.ts";
import { frame, SETTINGS } from "../fixtures/h2-peer.ts";

const BODY = JSON.stringify({ model: "m", prompt: "hello" });
const INVALID = 3;
const UNIMPLEMENTED = 12;

/** How far an exchange has come, and how it counts when it is broken off there. */
type Phase = readonly [name: string, how: string | undefined, run: (call: ExtProcCall) => unknown];
const decided = async (call: ExtProcCall): Promise<void> => {
  call.headers("request", ASKED).body("request", BODY);
  await call.next();
  await call.wholeBody("request");
};
const answering = async (call: ExtProcCall): Promise<void> => {
  await decided(call);
  call.headers("response", { ":status": "200" });
  await call.next();
};
const PHASES: readonly Phase[] = [
  ["before anything", undefined, () => undefined],
  ["after headers", "client-left", (call) => call.headers("request", ASKED)],
  [
    "within a body",
    "client-left",
    (call) => call.headers("request", ASKED).body("request", BODY.slice(0, 5), false),
  ],
  ["after the decision", "client-left", decided],
  ["after the answer's head", "client-left", answering],
  [
    "within the answer's body",
    "client-left",
    async (call) => {
      await answering(call);
      call.body("response", "{", false);
      await call.next();
    },
  ],
  [
    "after the answer",
    "completed",
    async (call) => {
      await answering(call);
      call.body("response", "{}");
      await call.wholeBody("response");
    },
  ],
];

async function isClosed(epp: ExtProcUnderTest, how: string | undefined): Promise<void> {
  await eventually(() => epp.front.exchangeCount === 0);
  assert.deepEqual(
    epp.reports.map((report) => report.how),
    how === undefined ? [] : [how],
  );
  assert.equal(epp.pool.core.inFlightCount, 0);
  assert.equal(epp.front.bufferedBytes, 0);
  assert.ok(!epp.log.lines.some(({ level }) => level === "error"));
}

for (const [name, how, run] of PHASES) {
  test(`epp: a half-close ${name} ends the call with OK and closes the books`, async () => {
    await using epp = await extProcUnderTest();
    const call = epp.client.open();
    await run(call);
    assert.equal((await call.halfClose().status).code, 0);
    await isClosed(epp, how);
  });

  test(`epp: an abort ${name} leaves nothing behind`, async () => {
    await using epp = await extProcUnderTest();
    const call = epp.client.open();
    await run(call);
    if (how !== undefined) await eventually(() => epp.front.exchangeCount === 1);
    call.cancel();
    await call.status;
    await isClosed(epp, how);
  });
}

test("epp: a connection that breaks ends all its calls", async () => {
  await using epp = await extProcUnderTest();
  const session = connect(`http://127.0.0.1:${epp.front.port}`);
  session.on("error", () => undefined);
  for (let i = 0; i < 50; i++) {
    const stream = session.request(GRPC);
    stream.on("error", () => undefined);
    stream.write(frameOf(HEADERS));
  }
  await eventually(() => epp.front.exchangeCount === 50);
  session.socket.resetAndDestroy();
  await eventually(() => epp.front.exchangeCount === 0);
  assert.equal(epp.reports.length, 50);
  assert.ok(epp.reports.every(({ how }) => how === "client-left"));
});

const GRPC = {
  ":method": "POST",
  ":path": PROCESS_PATH,
  "content-type": "application/grpc",
  te: "trailers",
};

const HEADERS: Uint8Array = toBinary(
  ProcessingRequestSchema,
  create(ProcessingRequestSchema, {
    request: {
      case: "requestHeaders",
      value: {
        headers: {
          headers: Object.entries(ASKED).map(([key, text]) => ({
            key,
            rawValue: Buffer.from(text),
          })),
        },
      },
    },
  }),
);
const WHOLE_BODY: Uint8Array = toBinary(
  ProcessingRequestSchema,
  create(ProcessingRequestSchema, {
    request: { case: "requestBody", value: { body: Buffer.from(BODY), endOfStream: true } },
  }),
);

test("epp: a message that is cut anywhere ends its call with INVALID_ARGUMENT", async () => {
  await using epp = await extProcUnderTest();
  const calls = Array.from(HEADERS, (_, length) =>
    epp.client.open().sendBytes(HEADERS.subarray(0, length)),
  );
  for (const [length, call] of calls.entries()) {
    assert.equal((await call.status).code, INVALID, `${length} bytes`);
  }
  await isClosed(epp, undefined);
});

const FRAMES: readonly (readonly [name: string, status: number, bytes: Buffer])[] = [
  ["a message without its end", INVALID, frameOf(HEADERS).subarray(0, 20)],
  ["a message's head alone", INVALID, frameOf(HEADERS).subarray(0, 5)],
  ["half a head", INVALID, frameOf(HEADERS).subarray(0, 3)],
  ["a compressed message", UNIMPLEMENTED, Buffer.of(1, 0, 0, 0, 1, 0)],
];
for (const [name, status, bytes] of FRAMES) {
  test(`epp: ${name} ends the call with status ${status}`, async () => {
    await using epp = await extProcUnderTest();
    const session = connect(`http://127.0.0.1:${epp.front.port}`);
    const stream = session.request(GRPC);
    stream.end(bytes);
    const [answer] = (await once(stream, "response")) as [Record<string, unknown>];
    assert.equal(answer["grpc-status"], String(status));
    stream.resume();
    session.destroy();
    await isClosed(epp, undefined);
  });
}

test("epp: an exchange whose bytes come one by one is answered as any other", async () => {
  await using epp = await extProcUnderTest();
  const socket = connectTcp({ port: epp.front.port, host: "127.0.0.1", noDelay: true });
  let answer = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    answer += text;
  });
  const head = headerBlock([[":scheme", "http"], ...Object.entries(GRPC)]);
  const body = Buffer.concat([frameOf(HEADERS), frameOf(WHOLE_BODY)]);
  const sent = [PREFACE, SETTINGS, frame(FRAME.headers, 4, 1, head), frame(FRAME.data, 0, 1, body)];
  for (const byte of Buffer.concat(sent)) {
    if (!socket.write(Buffer.of(byte))) await once(socket, "drain");
    await new Promise((done) => setImmediate(done));
  }
  await eventually(
    () => answer.includes("x-gateway-destination-endpoint") && answer.includes(BODY),
  );
  assert.equal(epp.pool.core.inFlightCount, 1);
  socket.destroy();
  await isClosed(epp, "client-left");
});

test("epp: a body that drips without an end meets the time limit", async () => {
  await using epp = await extProcUnderTest({ limits: { requestTimeoutMs: 100 } });
  const call = epp.client.open().headers("request", ASKED);
  const dripping = setInterval(() => call.body("request", " ", false), 5);
  const { response } = await call.next();
  clearInterval(dripping);
  assert.ok(response.case === "immediateResponse");
  assert.equal(response.value.status?.code, 408);
  assert.equal((await call.status).code, 0);
  await isClosed(epp, "rejected");
});

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, constants } from "node:http2";
import { connect as connectTcp } from "node:net";
import test from "node:test";
import { selfSignedCertificate } from "../../src/app/self-signed-certificate.ts";
import { frameOf } from "../../src/front/extproc/grpc-frames.ts";
import { PROCESS_PATH } from "../../src/front/extproc/processor-service.ts";
import { eventually } from "../fixtures/eventually.ts";
import { type ExtProcCall, ExtProcClient, setHeadersOf } from "../fixtures/extproc-client.ts";
import { ASKED, type ExtProcUnderTest, extProcUnderTest } from "../fixtures/extproc-under-test.ts";

const BODY = JSON.stringify({ model: "m", prompt: "hello" });

/** Nothing is left of all calls, and the front still serves. */
async function isUnharmed(epp: ExtProcUnderTest): Promise<void> {
  await eventually(() => epp.front.exchangeCount === 0);
  assert.equal(epp.pool.core.inFlightCount, 0);
  assert.equal(epp.front.bufferedBytes, 0);
  await using client = new ExtProcClient(epp.front.port);
  const call = client.open().headers("request", ASKED).body("request", BODY);
  assert.notEqual(setHeadersOf(await call.next())["x-gateway-destination-endpoint"], undefined);
  call.cancel();
  await eventually(() => epp.front.exchangeCount === 0);
  assert.equal(epp.pool.core.inFlightCount, 0);
  assert.deepEqual(
    epp.log.lines.filter(({ level }) => level === "error"),
    [],
  );
}

const INVALID = 3;
const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;
const MODES = { protocolConfig: { requestBodyMode: 2, responseBodyMode: 4 } } as const;

const OK = { ":status": "200" };

type Breach = readonly [name: string, status: number, send: (call: ExtProcCall) => unknown];
const BREACHES: readonly Breach[] = [
  ["bytes that are no message", INVALID, (call) => call.sendBytes(Buffer.from([0xff, 0xff, 0xff]))],
  ["an empty message", INVALID, (call) => call.sendBytes(new Uint8Array())],
  ["headers without a path", INVALID, (call) => call.headers("request", { "x-a": "1" })],
  ["a body before headers", INVALID, (call) => call.body("request", BODY)],
  ["trailers before headers", INVALID, (call) => call.trailers("request")],
  ["headers twice", INVALID, (call) => call.headers("request", ASKED).headers("request", ASKED)],
  [
    "two bodies",
    INVALID,
    (call) => call.headers("request", ASKED).body("request", BODY).body("request", BODY),
  ],
  [
    "trailers after the end",
    INVALID,
    (call) => call.headers("request", ASKED).body("request", BODY).trailers("request"),
  ],
  [
    "an answer's body before its head",
    INVALID,
    (call) => call.headers("request", ASKED).body("request", BODY).body("response", "x"),
  ],
  [
    "an answer's trailers before its head",
    INVALID,
    (call) => call.headers("request", ASKED).body("request", BODY).trailers("response"),
  ],
  [
    "an answer's head twice",
    INVALID,
    (call) =>
      call
        .headers("request", ASKED)
        .body("request", BODY)
        .headers("response", OK)
        .headers("response", OK),
  ],
  [
    "an answer's body after its end",
    INVALID,
    (call) =>
      call
        .headers("request", ASKED)
        .body("request", BODY)
        .headers("response", OK)
        .body("response", "x")
        .body("response", "y"),
  ],
  [
    "a message over 4 MiB",
    RESOURCE_EXHAUSTED,
    (call) => call.headers("request", ASKED).body("request", Buffer.alloc(4 * 1024 * 1024 + 1)),
  ],
  [
    "a filter that buffers",
    FAILED_PRECONDITION,
    (call) => call.headers("request", ASKED, { asked: MODES }),
  ],
  [
    "a filter that only observes",
    FAILED_PRECONDITION,
    (call) => call.headers("request", ASKED, { asked: { observabilityMode: true } }),
  ],
];
for (const [name, code, send] of BREACHES) {
  test(`epp: ${name} ends the call with status ${code}`, async () => {
    await using epp = await extProcUnderTest();
    const call = epp.client.open();
    send(call);
    assert.equal((await call.status).code, code);
    await isUnharmed(epp);
  });
}

test("epp: a body that never ends meets the limit", async () => {
  await using epp = await extProcUnderTest({ limits: { bodyBytesMax: 1_000_000 } });
  const call = epp.client.open().headers("request", ASKED);
  const chunk = Buffer.alloc(100_000, 0x20);
  for (let i = 0; i < 40; i++) call.body("request", chunk, false);
  const { response } = await call.next();
  assert.ok(response.case === "immediateResponse");
  assert.equal(response.value.status?.code, 413);
  assert.equal((await call.status).code, 0);
  await isUnharmed(epp);
});

test("epp: bodies beyond the budget of all wait, and are refused when no room comes", async () => {
  const limits = { bodyBytesMax: 100_000, bufferedBytesMax: 150_000, bufferWaitMs: 50 };
  await using epp = await extProcUnderTest({ limits });
  const asked = { ...ASKED, "content-length": "100000" };
  const calls = [1, 2].map(() =>
    epp.client.open().headers("request", asked).body("request", "{", false),
  );
  const { response } = await Promise.race(calls.map((call) => call.next()));
  assert.ok(response.case === "immediateResponse");
  assert.equal(response.value.status?.code, 503);
  for (const call of calls) call.cancel();
  await isUnharmed(epp);
});

test("epp: ten thousand headers are read", async () => {
  await using epp = await extProcUnderTest();
  const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`x-h-${i}`, "v"]));
  const call = epp.client
    .open()
    .headers("request", { ...ASKED, ...many })
    .body("request", BODY);
  assert.equal((await call.next()).response.case, "requestHeaders");
  call.cancel();
  await isUnharmed(epp);
});

test("epp: thousands of resets in the middle of bodies leave nothing behind", async () => {
  await using epp = await extProcUnderTest();
  const session = connect(`http://127.0.0.1:${epp.front.port}`);
  await once(session, "connect");
  const request = {
    ":method": "POST",
    ":path": PROCESS_PATH,
    "content-type": "application/grpc",
    te: "trailers",
  };
  // HttpHeaders with :path alone, of a ProcessingRequest's request_headers.
  const path = Buffer.from("0a053a706174681202" + "2f78", "hex");
  const value = Buffer.concat([Buffer.from([0x0a, path.length]), path]);
  const map = Buffer.concat([Buffer.from([0x0a, value.length]), value]);
  const headers = frameOf(Buffer.concat([Buffer.from([0x12, map.length]), map]));
  for (let i = 0; i < 1500; i++) {
    const stream = session.request(request);
    stream.on("error", () => undefined);
    stream.write(headers);
    stream.write(frameOf(Buffer.from([0x22, 0x03, 0x0a, 0x01, 0x7b])));
    const closed = once(stream, "close");
    // Every second one is reset before its frames are out.
    if (i % 2 === 0) setImmediate(() => stream.close(constants.NGHTTP2_CANCEL));
    else stream.close(constants.NGHTTP2_CANCEL);
    if (i % 100 === 99) await closed;
  }
  session.destroy();
  await isUnharmed(epp);
});

test("epp: other protocols and methods are answered in HTTP's words, and calls in gRPC's", async () => {
  await using epp = await extProcUnderTest();
  const session = connect(`http://127.0.0.1:${epp.front.port}`);
  const answered = async (headers: Record<string, string>): Promise<unknown> => {
    const stream = session.request(headers, { endStream: true });
    const [answer] = (await once(stream, "response")) as [Record<string, unknown>];
    stream.resume();
    return answer[":status"] === 200 ? answer["grpc-status"] : answer[":status"];
  };
  assert.equal(await answered({ ":method": "GET", ":path": "/" }), 415);
  assert.equal(await answered({ ":method": "POST", ":path": PROCESS_PATH }), 415);
  const grpc = { ":method": "POST", "content-type": "application/grpc+proto" };
  assert.equal(await answered({ ...grpc, ":path": "/other.Service/Method" }), "12");
  session.destroy();
  await isUnharmed(epp);
});

test("epp: garbage in place of HTTP/2 or of a handshake ends that connection only", async () => {
  const tls = { ...selfSignedCertificate(Date.now()), minVersion: "TLSv1.2" } as const;
  await using plain = await extProcUnderTest();
  await using secure = await extProcUnderTest({ tls });
  for (const { front } of [plain, secure]) {
    const socket = connectTcp(front.port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.end("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    socket.resume();
    await once(socket, "close");
  }
  const call = secure.client.open().headers("request", ASKED).body("request", BODY);
  assert.equal((await call.next()).response.case, "requestHeaders");
  call.cancel();
  await isUnharmed(plain);
});

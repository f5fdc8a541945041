import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type ClientHttp2Session, connect, type SessionOptions } from "node:http2";
import { connect as connectTcp } from "node:net";
import test from "node:test";
import { selfSignedCertificate } from "../../src/app/self-signed-certificate.ts";
import type { GrpcMethod } from "../../src/front/extproc/grpc-call.ts";
import { frameOf, HeldBytes, MessageReader } from "../../src/front/extproc/grpc-frames.ts";
import { type GrpcServer, startGrpcServer } from "../../src/front/extproc/grpc-server.ts";
import { FRAME, PREFACE, SETTING } from "../../src/front/extproc/h2/h2-protocol.ts";
import { H2Server } from "../../src/front/extproc/h2/h2-server.ts";
import { DEAF } from "../../src/front/extproc/h2/h2-stream.ts";
import { headerBlock } from "../../src/front/extproc/h2/hpack-encoder.ts";
import { eventually } from "../fixtures/eventually.ts";
import { frame, number, oneSetting, SETTINGS } from "../fixtures/h2-peer.ts";
import { recordingLog } from "../fixtures/recording-ports.ts";

const TLS = { ...selfSignedCertificate(Date.now()), minVersion: "TLSv1.2" } as const;

/** Gives every message back, and stops reading while the client does not take them. */
const echo: GrpcMethod = (call) => ({
  message(bytes) {
    if (!call.send(frameOf(bytes))) call.pause();
  },
  drained: () => call.resume(),
  halfClosed: () => call.end(0),
  closed: () => undefined,
});

async function echoServer(tls: typeof TLS | undefined): Promise<GrpcServer & AsyncDisposable> {
  const server = await startGrpcServer({
    host: "127.0.0.1",
    port: 0,
    tls,
    methods: new Map([["/echo", echo]]),
    messageBytesMax: 8 << 20,
    heldBytesMax: 64 << 20,
    callsMax: 1000,
    connectionsMax: 10,
    log: recordingLog(),
  });
  return Object.assign(server, { [Symbol.asyncDispose]: () => server.close() });
}

interface Client extends AsyncDisposable {
  readonly session: ClientHttp2Session;
}

async function clientOf(
  port: number,
  isSecure: boolean,
  options: SessionOptions = {},
): Promise<Client> {
  const session = connect(`${isSecure ? "https" : "http"}://localhost:${port}`, {
    rejectUnauthorized: false,
    // Megabytes that this client may hold of what it sends.
    maxSessionMemory: 1000,
    ...options,
  });
  await once(session, "connect");
  return {
    session,
    async [Symbol.asyncDispose]() {
      session.destroy();
    },
  };
}

const LIMITS = { messageBytesMax: 8 << 20, held: new HeldBytes(64 << 20) };

const CALL = { ":method": "POST", ":path": "/echo", "content-type": "application/grpc" };

/** Sends messages in one call; gives what came back and the status. */
async function exchange(
  session: ClientHttp2Session,
  messages: readonly Uint8Array[],
): Promise<{ readonly got: Buffer[]; readonly status: unknown }> {
  const stream = session.request(CALL);
  const got: Buffer[] = [];
  const reader = new MessageReader(LIMITS, (message) => got.push(message));
  let status: unknown;
  stream.on("data", (chunk: Buffer) => reader.push(chunk));
  stream.on("trailers", (trailers) => {
    status = trailers["grpc-status"];
  });
  const closed = once(stream, "close");
  for (const message of messages) stream.write(frameOf(message));
  stream.end();
  await closed;
  return { got, status };
}

for (const [name, tls] of [
  ["plaintext", undefined],
  ["TLS", TLS],
] as const) {
  test(`h2: over ${name}, calls at once give back bodies larger than every window`, async () => {
    await using server = await echoServer(tls);
    await using client = await clientOf(server.port, tls !== undefined);
    const sizes = [0, 1, 16_384, 100_000, 3_000_000];
    const calls = Array.from({ length: 12 }, (_, i) => sizes.map((size) => randomBytes(size + i)));
    const answers = await Promise.all(calls.map((sent) => exchange(client.session, sent)));
    for (const [i, { got, status }] of answers.entries()) {
      assert.equal(status, "0");
      assert.ok(got.every((bytes, k) => bytes.equals(calls[i]?.[k] as Buffer)));
      assert.equal(got.length, sizes.length);
    }
    await eventually(() => server.callCount === 0);
  });
}

test("h2: a client of small windows, small tables and small frames is served as well", async () => {
  await using server = await echoServer(undefined);
  const settings = { initialWindowSize: 100, headerTableSize: 0, maxHeaderListSize: 1000 };
  await using client = await clientOf(server.port, false, { settings });
  for (let i = 0; i < 3; i++) {
    const sent = [randomBytes(5000), randomBytes(5000)];
    const { got, status } = await exchange(client.session, sent);
    assert.deepEqual([got, status], [sent, "0"]);
  }
});

test("h2: names and values are read as another program encodes them", async () => {
  const paths: string[] = [];
  const server = new H2Server({
    host: "127.0.0.1",
    port: 0,
    tls: undefined,
    streamsMax: 1000,
    connectionsMax: 10,
    nowMs: () => 0,
    failed: (reason) => assert.fail(reason),
    serve: (stream, head) => {
      paths.push(`${head.path} ${head.contentType}`);
      stream.respond(headerBlock([[":status", "200"]]), true);
      return DEAF;
    },
  });
  await server.listen();
  await using client = await clientOf(server.port, false);
  const printable = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i));
  const want: string[] = [];
  for (let i = 0; i < 300; i++) {
    // Some are so long that they empty the table, many come again and are indexes.
    const path = `/${printable.slice(i % 94).join("")}${"x".repeat((i * 37) % 900)}`;
    const type = `type/${i % 7}`;
    want.push(`${path} ${type}`);
    const more = { [`x-header-${i % 11}`]: `value ${i % 5}`, "x-long": "y".repeat((i % 10) * 300) };
    const stream = client.session.request(
      { ":path": path, "content-type": type, ...more },
      { endStream: true },
    );
    stream.resume();
    await once(stream, "close");
  }
  assert.deepEqual(paths, want);
  await server.close();
});

test("h2: ping is answered, and closing says GOAWAY", async () => {
  await using server = await echoServer(TLS);
  await using client = await clientOf(server.port, true);
  const { session } = client;
  await new Promise<void>((resolve, reject) => {
    session.ping((error) => (error === null ? resolve() : reject(error)));
  });
  const stream = session.request(CALL);
  stream.on("error", () => undefined);
  stream.write(frameOf(Buffer.from("x")));
  await once(stream, "data");
  const goaway = once(session, "goaway");
  const closed = once(session, "close");
  await server.close();
  assert.deepEqual((await goaway).slice(0, 2), [0, stream.id]);
  await closed;
});

test("h2: clients that say nothing do not hold up the end", async () => {
  for (const tls of [undefined, TLS]) {
    const server = await echoServer(tls);
    const silent = connectTcp(server.port, "127.0.0.1");
    await once(silent, "connect");
    await server.close();
    silent.resume();
    if (!silent.closed) await once(silent, "close");
  }
});

test("h2: a client that does not read its answers is no longer read from, and harms nobody", async () => {
  await using server = await echoServer(undefined);
  const socket = connectTcp(server.port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.pause();
  const wide = frame(FRAME.settings, 0, 0, oneSetting(SETTING.initialWindowSize, 2 ** 31 - 1));
  const wideToo = frame(FRAME.windowUpdate, 0, 0, number(2 ** 31 - 1 - 65_535));
  const block = headerBlock([
    ...[[":method", "POST"] as const, [":scheme", "http"] as const, [":path", "/echo"] as const],
    ["content-type", "application/grpc"],
  ]);
  socket.write(Buffer.concat([PREFACE, SETTINGS, wide, wideToo]));
  const message = frameOf(Buffer.alloc(16_000));
  // Each call alone is within its window; all of them are 64 MB.
  for (let id = 1; id < 512; id += 2) {
    const frames = Array.from({ length: 16 }, () => frame(FRAME.data, 0, id, message));
    socket.write(Buffer.concat([frame(FRAME.headers, 4, id, block), ...frames]));
  }
  await using client = await clientOf(server.port, false);
  const sent = [randomBytes(100_000)];
  assert.deepEqual((await exchange(client.session, sent)).got, sent);
  // What the systems' own buffers do not hold stays with the client.
  assert.ok(socket.writableLength > 8 << 20, `${socket.writableLength} bytes are left`);
  socket.destroy();
  await eventually(() => server.callCount === 0);
});

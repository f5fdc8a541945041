import assert from "node:assert/strict";
import test from "node:test";
import {
  data,
  frame,
  H2Peer,
  number,
  oneSetting,
  open,
  requestBlock,
} from "../../../../test/fixtures/h2-peer.ts";
import { FLAG, FRAME, H2_ERROR, SETTING } from "./h2-protocol.ts";
import { STREAM_WINDOW_BYTES } from "./h2-stream.ts";
import { headerBlock } from "./hpack-encoder.ts";

const OK = headerBlock([[":status", "200"]]);
const TRAILERS = headerBlock([["grpc-status", "0"]]);
const NOTHING = Buffer.alloc(0);
const WINDOW = 65_535;

const settings = (setting: number, value: number): Buffer =>
  frame(FRAME.settings, 0, 0, oneSetting(setting, value));

test("h2-connection: a request's head, body and end come in order, and its answer goes out", async () => {
  const peer = new H2Peer({
    serve: (stream) => stream.respond(OK, false),
    data: (stream, bytes) => stream.write(bytes),
  });
  await peer.greet(open(1), data(1, "abc"), data(1, "de", FLAG.endStream));
  peer.streams.get(1)?.end(TRAILERS);
  await peer.settled();
  assert.deepEqual(peer.calls, ["1 POST /a", "1 data abc", "1 data de", "1 ended", "1 closed"]);
  assert.equal(peer.body(1).toString(), "abcde");
  const heads = peer.of(FRAME.headers, 1).map(({ flags }) => flags);
  assert.deepEqual(heads, [FLAG.endHeaders, FLAG.endHeaders | FLAG.endStream]);
});

test("h2-connection: what answers one read leaves in one write", async () => {
  const peer = new H2Peer({
    serve: (stream) => {
      stream.respond(OK, false);
      stream.write(Buffer.from("answer"));
      stream.end(TRAILERS);
    },
  });
  await peer.greet();
  const before = peer.writeCount;
  await peer.send(...[1, 3, 5].map((id) => open(id, FLAG.endStream)), ping(0));
  assert.equal(peer.writeCount, before + 1);
  assert.equal(peer.of(FRAME.data).length, 3);
  assert.equal(peer.calls.filter((call) => call.endsWith("closed")).length, 3);
});

const ping = (flags: number): Buffer => frame(FRAME.ping, flags, 0, Buffer.from("12345678"));

test("h2-connection: padding, priorities, cut header blocks and unknown frames are read past", async () => {
  const peer = new H2Peer();
  const block = requestBlock(["x-more", "y".repeat(100)]);
  const priority = Buffer.of(0, 0, 0, 0, 7);
  const cut = [Buffer.of(3), priority, block.subarray(0, 30), Buffer.alloc(3)];
  await peer.greet(
    frame(77, 0xff, 9, Buffer.from("unknown")),
    frame(FRAME.priority, 0, 9, priority),
    frame(FRAME.headers, FLAG.padded | FLAG.priority, 1, Buffer.concat(cut)),
    frame(FRAME.continuation, 0, 1, block.subarray(30, 31)),
    frame(FRAME.continuation, 0, 1),
    frame(FRAME.continuation, FLAG.endHeaders, 1, block.subarray(31)),
    frame(FRAME.data, FLAG.padded, 1, Buffer.from("\x02ab\0\0")),
    ping(0),
    ping(FLAG.ack),
    frame(FRAME.settings, FLAG.ack, 0),
    frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, headerBlock([["x-trailer", "1"]])),
  );
  assert.deepEqual(peer.calls, ["1 POST /a", "1 data ab", "1 ended"]);
  const pings = peer.of(FRAME.ping).map(({ flags, payload }) => `${flags} ${payload}`);
  assert.deepEqual(pings, ["1 12345678"]);
  assert.equal(peer.goawayCode, undefined);
});

test("h2-connection: streams beyond the limit are refused until one is over", async () => {
  const peer = new H2Peer({ streamsMax: 2 });
  await peer.greet(open(1), open(3), open(5), data(5, "crossed the reset"));
  assert.equal(peer.resetCode(5), H2_ERROR.refusedStream);
  assert.equal(peer.of(FRAME.rstStream, 5).length, 1);
  await peer.send(frame(FRAME.rstStream, 0, 1, number(H2_ERROR.cancel)), open(7));
  assert.deepEqual(peer.calls, ["1 POST /a", "3 POST /a", "7 POST /a", "1 closed"]);
});

test("h2-connection: headers beyond the limit are answered with 431", async () => {
  const peer = new H2Peer();
  const block = Buffer.concat([
    requestBlock(),
    Buffer.of(0x40, 1, 0x61, 0x7f, 0xa1, 0x1e),
    Buffer.alloc(4000, 0x62),
  ]);
  // The field of 4 KB again and again, by its index.
  const many = Buffer.alloc(100, 0xbe);
  await peer.greet(frame(FRAME.headers, FLAG.endHeaders, 1, Buffer.concat([block, many])), open(3));
  const [answer] = peer.of(FRAME.headers, 1);
  assert.ok(answer?.payload.includes("431"));
  assert.deepEqual(peer.calls, ["3 POST /a"]);
});

test("h2-connection: a body waits for the stream's window, and trailers wait for the body", async () => {
  const peer = new H2Peer({ serve: (stream) => stream.respond(OK, false) });
  await peer.greet(open(1, FLAG.endStream), frame(FRAME.windowUpdate, 0, 0, number(1 << 20)));
  const body = Buffer.alloc(2 * WINDOW + 1, "0123456789");
  const stream = peer.streams.get(1);
  assert.equal(stream?.write(body), false);
  await peer.settled();
  assert.equal(peer.body(1).length, WINDOW);
  assert.ok(peer.of(FRAME.data, 1).every(({ payload }) => payload.length <= 16_384));
  await peer.send(frame(FRAME.windowUpdate, 0, 1, number(WINDOW)));
  assert.equal(peer.body(1).length, 2 * WINDOW);
  assert.ok(!peer.calls.includes("1 drained"));
  await peer.send(frame(FRAME.windowUpdate, 0, 1, number(WINDOW)));
  assert.deepEqual(peer.body(1), body);
  assert.equal(peer.calls.at(-1), "1 drained");
  stream?.write(body);
  stream?.end(TRAILERS);
  await peer.settled();
  assert.equal(peer.of(FRAME.headers, 1).length, 1);
  await peer.send(frame(FRAME.windowUpdate, 0, 1, number(2 * WINDOW)));
  assert.equal(peer.of(FRAME.headers, 1).length, 2);
  assert.equal(peer.body(1).length, 2 * body.length);
  assert.equal(peer.calls.at(-1), "1 closed");
});

test("h2-connection: a setting changes the windows of open streams, below zero too", async () => {
  const peer = new H2Peer({ serve: (stream) => stream.respond(OK, false) });
  await peer.greet(open(1), frame(FRAME.windowUpdate, 0, 0, number(1 << 20)));
  const stream = peer.streams.get(1);
  stream?.write(Buffer.alloc(WINDOW));
  await peer.send(settings(SETTING.initialWindowSize, 10));
  assert.equal(stream?.write(Buffer.alloc(100)), false);
  await peer.send(frame(FRAME.windowUpdate, 0, 1, number(WINDOW - 10)));
  assert.equal(peer.body(1).length, WINDOW);
  await peer.send(settings(SETTING.initialWindowSize, 60));
  assert.equal(peer.body(1).length, WINDOW + 50);
  await peer.send(settings(SETTING.initialWindowSize, WINDOW));
  assert.equal(peer.body(1).length, WINDOW + 100);
});

test("h2-connection: bodies share the connection's window, and none is left behind", async () => {
  const peer = new H2Peer({ serve: (stream) => stream.respond(OK, false) });
  await peer.greet(settings(SETTING.initialWindowSize, 1 << 20), open(1), open(3), open(5));
  for (const stream of peer.streams.values()) stream.write(Buffer.alloc(100_000));
  await peer.settled();
  const sent = (): number[] => [1, 3, 5].map((id) => peer.body(id).length);
  assert.equal(
    sent().reduce((sum, bytes) => sum + bytes),
    WINDOW,
  );
  await peer.send(frame(FRAME.windowUpdate, 0, 0, number(1 << 20)));
  assert.deepEqual(sent(), [100_000, 100_000, 100_000]);
  assert.equal(peer.calls.filter((call) => call.endsWith("drained")).length, 3);
});

test("h2-connection: a stream that is read gets window again, a paused one does not", async () => {
  const peer = new H2Peer();
  const full = frame(FRAME.data, 0, 1, Buffer.alloc(16_384));
  const half = STREAM_WINDOW_BYTES / 2 / 16_384;
  await peer.greet(open(1), ...Array.from({ length: half }, () => full));
  assert.deepEqual(
    peer.of(FRAME.windowUpdate, 1).map(({ payload }) => payload.readUInt32BE()),
    [STREAM_WINDOW_BYTES / 2],
  );
  const stream = peer.streams.get(1);
  stream?.pause();
  await peer.send(...Array.from({ length: 2 * half }, () => full));
  assert.equal(peer.of(FRAME.windowUpdate, 1).length, 1);
  assert.equal(peer.resetCode(1), undefined);
  stream?.resume();
  await peer.settled();
  assert.equal(peer.of(FRAME.windowUpdate, 1)[1]?.payload.readUInt32BE(), STREAM_WINDOW_BYTES);
  stream?.pause();
  await peer.send(...Array.from({ length: 2 * half }, () => full), data(1, "x"));
  assert.equal(peer.resetCode(1), H2_ERROR.flowControl);
  assert.equal(peer.calls.at(-1), "1 closed");
});

test("h2-connection: many bodies get the connection's window again, paused or not", async () => {
  const peer = new H2Peer({ serve: (stream) => stream.pause() });
  const full = Array.from({ length: 16 }, () => Buffer.alloc(16_384));
  await peer.greet();
  for (let id = 1; id < 100; id += 2) {
    await peer.send(open(id), ...full.map((payload) => frame(FRAME.data, 0, id, payload)));
  }
  // 50 streams of 256 KiB are more than half of 16 MiB; the first update is that of the greeting.
  assert.equal(peer.of(FRAME.windowUpdate, 0).length, 2);
});

test("h2-connection: a reset by the client is told once, and what crosses one of ours is ignored", async () => {
  const peer = new H2Peer();
  await peer.greet(open(1), open(3));
  peer.streams.get(1)?.reset(H2_ERROR.cancel);
  const crossing = [data(1, "x"), frame(FRAME.windowUpdate, 0, 1, number(1)), data(1, "y", 1)];
  await peer.send(frame(FRAME.rstStream, 0, 3, number(H2_ERROR.cancel)), ...crossing);
  peer.streams.get(3)?.write(Buffer.from("too late"));
  peer.streams.get(3)?.reset(H2_ERROR.cancel);
  await peer.settled();
  assert.deepEqual(peer.calls, ["1 POST /a", "3 POST /a", "1 closed", "3 closed"]);
  assert.equal(peer.of(FRAME.rstStream).length, 1);
  // Its client ended stream 1: more of it is a breach.
  await peer.send(data(1, "z"));
  assert.equal(peer.of(FRAME.rstStream, 1)[1]?.payload.readUInt32BE(), H2_ERROR.streamClosed);
});

test("h2-connection: resets of streams whose answer is complete are no flood", async () => {
  const peer = new H2Peer({ serve: (stream) => stream.respond(OK, true) });
  const frames = Array.from({ length: 2000 }, (_, i) => [
    open(2 * i + 1),
    frame(FRAME.rstStream, 0, 2 * i + 1, number(H2_ERROR.none)),
  ]);
  await peer.greet(...frames.flat(), open(5001));
  assert.equal(peer.goawayCode, undefined);
  assert.equal(peer.calls.filter((call) => call.endsWith("closed")).length, 2000);
});

test("h2-connection: a client's GOAWAY lets its streams end, then the connection", async () => {
  const peer = new H2Peer({ serve: (stream) => stream.respond(OK, false) });
  await peer.greet(open(1, FLAG.endStream), frame(FRAME.goaway, 0, 0, Buffer.alloc(8)));
  assert.equal(peer.isClosed, false);
  peer.streams.get(1)?.end(TRAILERS);
  await peer.settled();
  assert.equal(peer.goawayCode, H2_ERROR.none);
  assert.equal(peer.isClosed, true);
});

test("h2-connection: closing tells the last stream and cuts those that are open", async () => {
  const peer = new H2Peer();
  await peer.greet(open(1), open(7));
  peer.connection.close();
  await peer.settled();
  assert.equal(peer.of(FRAME.goaway)[0]?.payload.readUInt32BE(0), 7);
  assert.deepEqual(peer.calls.slice(2), ["1 closed", "7 closed"]);
  assert.deepEqual([peer.failures, peer.isClosed], [[], true]);
});

test("h2-connection: a client that leaves ends its streams without a failure", async () => {
  const peer = new H2Peer();
  await peer.greet(open(1), data(1, "x"));
  await peer.leave();
  assert.deepEqual(peer.calls, ["1 POST /a", "1 data x", "1 closed"]);
  assert.deepEqual(peer.failures, []);
});

test("h2-connection: the first block sets the client's table to nothing, further ones are bare", async () => {
  const peer = new H2Peer({ serve: (stream) => stream.respond(OK, true) });
  await peer.greet(open(1, FLAG.endStream), open(3, FLAG.endStream));
  const blocks = peer.of(FRAME.headers).map(({ payload }) => payload);
  assert.deepEqual(blocks, [Buffer.concat([Buffer.of(0x20), OK]), OK]);
});

test("h2-connection: an acknowledgement follows the client's settings", async () => {
  const peer = new H2Peer();
  await peer.greet();
  const [own, ack] = peer.of(FRAME.settings);
  assert.deepEqual([own?.flags, ack?.flags, ack?.payload], [0, FLAG.ack, NOTHING]);
});

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
  SETTINGS,
} from "../../../../test/fixtures/h2-peer.ts";
import { FLAG, FRAME, H2_ERROR, PREFACE, SETTING } from "./h2-protocol.ts";
import { headerBlock } from "./hpack-encoder.ts";

const ping = (flags: number): Buffer => frame(FRAME.ping, flags, 0, Buffer.from("12345678"));

type Breach = readonly [name: string, code: number, ...sent: Buffer[]];

const settings = (setting: number, value: number): Buffer =>
  frame(FRAME.settings, 0, 0, oneSetting(setting, value));
const flood = (count: number, bytes: Buffer): Buffer => Buffer.alloc(count * bytes.length, bytes);
const resets = Buffer.concat(
  Array.from({ length: 4000 }, (_, i) =>
    Buffer.concat([open(2 * i + 1), frame(FRAME.rstStream, 0, 2 * i + 1, number(H2_ERROR.cancel))]),
  ),
);
const manyFields = Buffer.alloc(16_000, headerBlock([["x-many", "y".repeat(93)]]));
const { protocol, frameSize, flowControl, streamClosed, compression, enhanceYourCalm } = H2_ERROR;

/** What ends the connection, once it has begun with the preface and SETTINGS. */
const BREACHES: readonly Breach[] = [
  ["SETTINGS of a stream", protocol, frame(FRAME.settings, 0, 1)],
  ["SETTINGS that are cut off", frameSize, frame(FRAME.settings, 0, 0, Buffer.alloc(5))],
  ["an acknowledgement with settings", frameSize, frame(FRAME.settings, 1, 0, Buffer.alloc(6))],
  ["push that is 2", protocol, settings(SETTING.enablePush, 2)],
  ["a window of 2^31", flowControl, settings(SETTING.initialWindowSize, 2 ** 31)],
  ["frames of 16383 bytes", protocol, settings(SETTING.frameSizeMax, 16_383)],
  ["frames of 2^24 bytes", protocol, settings(SETTING.frameSizeMax, 2 ** 24)],
  ["a frame of 16385 bytes", frameSize, open(1), frame(FRAME.data, 0, 1, Buffer.alloc(16_385))],
  ["DATA of no stream", protocol, data(0, "x")],
  ["DATA of a stream that is idle", protocol, open(1), data(3, "x")],
  ["DATA of an even stream", protocol, open(3), data(2, "x")],
  ["HEADERS of no stream", protocol, open(0)],
  ["HEADERS of an even stream", protocol, open(2)],
  ["a stream below one that was used", streamClosed, open(5), open(3)],
  ["HEADERS without the byte of padding", frameSize, frame(FRAME.headers, 0xc, 1)],
  ["HEADERS without all of a priority", frameSize, frame(FRAME.headers, 0x24, 1, number(1))],
  ["DATA with too much padding", protocol, open(1), frame(FRAME.data, 8, 1, Buffer.of(2, 0))],
  ["HEADERS with too much padding", protocol, frame(FRAME.headers, 0xc, 1, Buffer.of(9, 0x82))],
  ["CONTINUATION of nothing", protocol, frame(FRAME.continuation, FLAG.endHeaders, 1)],
  [
    "CONTINUATION of another stream",
    protocol,
    frame(FRAME.headers, 0, 1, requestBlock()),
    frame(FRAME.continuation, FLAG.endHeaders, 3),
  ],
  ["PING within a header block", protocol, frame(FRAME.headers, 0, 1, requestBlock()), ping(0)],
  ["a wrong header block", compression, frame(FRAME.headers, FLAG.endHeaders, 1, Buffer.of(0x80))],
  ["PING of a stream", protocol, frame(FRAME.ping, 0, 1, Buffer.alloc(8))],
  ["PING of seven bytes", frameSize, frame(FRAME.ping, 0, 0, Buffer.alloc(7))],
  ["GOAWAY of a stream", protocol, frame(FRAME.goaway, 0, 1, Buffer.alloc(8))],
  ["GOAWAY that is cut off", frameSize, frame(FRAME.goaway, 0, 0, Buffer.alloc(7))],
  ["PRIORITY of no stream", protocol, frame(FRAME.priority, 0, 0, Buffer.alloc(5))],
  ["PRIORITY of four bytes", frameSize, frame(FRAME.priority, 0, 1, Buffer.alloc(4))],
  ["a reset of a stream that is idle", protocol, frame(FRAME.rstStream, 0, 1, number(8))],
  ["a reset of three bytes", frameSize, open(1), frame(FRAME.rstStream, 0, 1, Buffer.alloc(3))],
  ["a window of a stream that is idle", protocol, frame(FRAME.windowUpdate, 0, 1, number(1))],
  ["a window's update of nothing", protocol, frame(FRAME.windowUpdate, 0, 0, number(0))],
  ["a window's update of three bytes", frameSize, frame(FRAME.windowUpdate, 0, 0, Buffer.alloc(3))],
  [
    "a connection's window above 2^31-1",
    flowControl,
    frame(FRAME.windowUpdate, 0, 0, number(2 ** 31 - 1)),
  ],
  [
    "streams' windows above 2^31-1",
    flowControl,
    open(1),
    frame(FRAME.windowUpdate, 0, 1, number(2 ** 30)),
    settings(SETTING.initialWindowSize, 2 ** 31 - 1),
  ],
  ["PUSH_PROMISE", protocol, open(1), frame(FRAME.pushPromise, 4, 1, number(2))],
  [
    "a header block without end",
    enhanceYourCalm,
    frame(FRAME.headers, 0, 1, requestBlock()),
    flood(10, frame(FRAME.continuation, 0, 1, manyFields)),
  ],
  [
    "CONTINUATION frames without content",
    enhanceYourCalm,
    frame(FRAME.headers, 0, 1, requestBlock()),
    flood(20_000, frame(FRAME.continuation, 0, 1)),
  ],
  ["a flood of PING", enhanceYourCalm, flood(40_000, ping(0))],
  ["a flood of SETTINGS", enhanceYourCalm, flood(40_000, SETTINGS)],
  ["a flood of empty DATA", enhanceYourCalm, open(1), flood(40_000, data(1, ""))],
  ["a flood of unknown frames", enhanceYourCalm, flood(40_000, frame(99, 0, 0))],
  ["a flood of resets", enhanceYourCalm, resets],
];
for (const [name, code, ...sent] of BREACHES) {
  test(`h2-connection: ${name} ends the connection with error ${code}`, async () => {
    const peer = new H2Peer();
    await peer.greet(...sent);
    assert.equal(peer.goawayCode, code);
    assert.equal(peer.failures.length, 1);
    assert.equal(peer.isClosed, true);
    const opened = peer.calls.filter((call) => call.includes("POST")).length;
    const closed = peer.calls.filter((call) => call.endsWith("closed")).length;
    assert.equal(closed, opened);
  });
}

test("h2-connection: a client that does not begin as HTTP/2 does is told so at once", async () => {
  for (const sent of [
    [Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    [PREFACE, ping(0)],
    [PREFACE, frame(FRAME.settings, FLAG.ack, 0)],
  ]) {
    const peer = new H2Peer();
    await peer.send(...sent);
    assert.equal(peer.goawayCode, protocol);
    assert.equal(peer.isClosed, true);
  }
});

const head = (...fields: readonly (readonly [string, string])[]): Buffer =>
  frame(FRAME.headers, FLAG.endHeaders, 1, headerBlock(fields));
const [method, scheme, path] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/a"],
] as const;
const more = (name: string, value: string): Buffer =>
  frame(FRAME.headers, FLAG.endHeaders, 1, requestBlock([name, value]));

/** What ends its stream alone. */
const STREAM_BREACHES: readonly Breach[] = [
  ["no method", protocol, head(scheme, path)],
  ["no scheme", protocol, head(method, path)],
  ["no path", protocol, head(method, scheme)],
  ["an empty path", protocol, head(method, scheme, [":path", ""])],
  ["a method twice", protocol, head(method, method, scheme, path)],
  ["a pseudo-header that is unknown", protocol, head(method, scheme, path, [":other", "x"])],
  ["a status", protocol, head(method, scheme, path, [":status", "200"])],
  ["a pseudo-header after others", protocol, head(method, scheme, ["x-a", "1"], path)],
  ["a name in upper case", protocol, more("X-A", "1")],
  ["a name with a blank", protocol, more("x a", "1")],
  ["a name without a letter", protocol, more("", "1")],
  ["a value with a line's end", protocol, more("x-a", "1\r\nx-b: 2")],
  ["a value with NUL", protocol, more("x-a", "1\0")],
  ["a value with a blank at its end", protocol, more("x-a", "1 ")],
  ["a header of connections", protocol, more("connection", "close")],
  ["a transfer encoding", protocol, more("transfer-encoding", "chunked")],
  ["te that is not trailers", protocol, more("te", "gzip")],
  ["a length that is no number", protocol, more("content-length", "1x")],
  ["a body longer than was told", protocol, more("content-length", "1"), data(1, "ab")],
  ["a body shorter than was told", protocol, more("content-length", "3"), data(1, "ab", 1)],
  ["trailers without an end", protocol, open(1), head(["x-a", "1"])],
  [
    "trailers with a path",
    protocol,
    open(1),
    frame(FRAME.headers, 5, 1, headerBlock([[":path", "/"]])),
  ],
  ["DATA after the end", streamClosed, open(1, FLAG.endStream), data(1, "x")],
  ["trailers after the end", streamClosed, open(1, FLAG.endStream), open(1, FLAG.endStream)],
  ["a window's update of nothing", protocol, open(1), frame(FRAME.windowUpdate, 0, 1, number(0))],
  [
    "a stream's window above 2^31-1",
    flowControl,
    open(1),
    frame(FRAME.windowUpdate, 0, 1, number(2 ** 31 - 1)),
  ],
];
for (const [name, code, ...sent] of STREAM_BREACHES) {
  test(`h2-connection: ${name} resets its stream with error ${code}, and no other`, async () => {
    const peer = new H2Peer();
    await peer.greet(...sent, open(3), data(3, "other"));
    assert.equal(peer.resetCode(1), code);
    assert.equal(peer.goawayCode, undefined);
    assert.deepEqual(
      peer.calls.filter((call) => call.startsWith("3")),
      ["3 POST /a", "3 data other"],
    );
    const own = peer.calls.filter((call) => call.startsWith("1"));
    assert.ok(own.length === 0 || own.at(-1) === "1 closed", own.join());
  });
}

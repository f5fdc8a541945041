import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { FLAG, FRAME, PREFACE } from "../../src/front/extproc/h2/h2-protocol.ts";
import type { H2Stream } from "../../src/front/extproc/h2/h2-stream.ts";
import { headerBlock } from "../../src/front/extproc/h2/hpack-encoder.ts";
import { frame, H2Peer, number, oneSetting, requestBlock, SETTINGS } from "../fixtures/h2-peer.ts";

const OK = headerBlock([[":status", "200"]]);
const TRAILERS = headerBlock([["grpc-status", "0"]]);

/** A peer whose connection gives bodies back, and ends with them. */
function echoing(): H2Peer {
  return new H2Peer({
    serve: (stream: H2Stream) => stream.respond(OK, false),
    data: (stream, bytes) => {
      stream.write(Buffer.from(bytes));
      if (bytes.includes(0)) stream.end(TRAILERS);
    },
  });
}

/** Frames that a client may send, most of them in their place. */
const streamId = fc.integer({ min: 0, max: 5 }).map((n) => 2 * n + 1);
const anyFlags = fc.constantFrom(0, FLAG.endStream, FLAG.endHeaders, 5, FLAG.padded, 0xff);
const frames: fc.Arbitrary<Buffer> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(streamId, fc.constantFrom(4, 5))
      .map(([id, flags]) => frame(FRAME.headers, flags, id, requestBlock())),
  },
  {
    weight: 6,
    arbitrary: fc
      .tuple(streamId, fc.constantFrom(0, 0, 1), fc.uint8Array({ maxLength: 300 }))
      .map(([id, flags, payload]) => frame(FRAME.data, flags, id, payload)),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(streamId, fc.nat(1000))
      .map(([id, bytes]) => frame(FRAME.windowUpdate, 0, id, number(bytes + 1))),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(streamId, fc.nat(13))
      .map(([id, code]) => frame(FRAME.rstStream, 0, id, number(code))),
  },
  {
    weight: 1,
    arbitrary: fc.nat(70_000).map((bytes) => frame(FRAME.settings, 0, 0, oneSetting(4, bytes))),
  },
  { weight: 1, arbitrary: fc.constant(frame(FRAME.ping, 0, 0, Buffer.alloc(8))) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat(12), anyFlags, fc.nat(12), fc.uint8Array({ maxLength: 20 }))
      .map(([type, flags, id, payload]) => frame(type, flags, id, payload)),
  },
);

/** Every stream that was opened was closed once, and last of all. */
function assertClosed(calls: readonly string[]): void {
  const open = new Set<string>();
  for (const call of calls) {
    const [id = ""] = call.split(" ");
    if (call.includes("POST")) open.add(id);
    else if (call.endsWith("closed")) assert.ok(open.delete(id), call);
    else assert.ok(open.has(id), call);
  }
  assert.deepEqual([...open], []);
}

test("h2: frames mean the same however their bytes are cut", async () => {
  const property = fc.asyncProperty(
    fc.array(frames, { maxLength: 30 }),
    fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 10 }),
    async (sent, cuts) => {
      const bytes = Buffer.concat([PREFACE, SETTINGS, ...sent]);
      const whole = echoing();
      await whole.send(bytes);
      const cut = echoing();
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const to = at + (cuts[i % cuts.length] as number);
        cut.push(bytes.subarray(at, to));
        at = to;
      }
      await cut.settled();
      await Promise.all([whole.leave(), cut.leave()]);
      // The ends of streams are told once nothing else is read: between which frames, is left open.
      const told = (peer: H2Peer): readonly string[] =>
        peer.calls.filter((call) => !call.endsWith("closed"));
      assert.deepEqual(told(cut), told(whole));
      assert.equal(cut.goawayCode, whole.goawayCode);
      for (const id of [1, 3, 5, 7, 9, 11]) assert.deepEqual(cut.body(id), whole.body(id));
      assertClosed(whole.calls);
      assertClosed(cut.calls);
    },
  );
  await fc.assert(property, { numRuns: 150 });
});

test("h2: any bytes end a connection at most, and leave no stream behind", async () => {
  const garbage = fc.array(
    fc.oneof(
      frames,
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    ),
    { maxLength: 12 },
  );
  const property = fc.asyncProperty(garbage, fc.boolean(), async (sent, isGreeted) => {
    const peer = echoing();
    await peer.send(...(isGreeted ? [PREFACE, SETTINGS] : []), ...sent);
    await peer.leave();
    assertClosed(peer.calls);
    assert.equal(peer.isClosed, true);
  });
  await fc.assert(property, { numRuns: 300 });
});

test("h2: a client without window gets no byte more than it allows", async () => {
  const property = fc.asyncProperty(
    fc.nat(40_000),
    fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 40_000 })), { maxLength: 12 }),
    async (firstBytes, updates) => {
      const peer = new H2Peer({ serve: (stream) => stream.respond(OK, false) });
      const settings = frame(FRAME.settings, 0, 0, oneSetting(4, firstBytes));
      await peer.greet(settings, frame(FRAME.headers, 5, 1, requestBlock()));
      const body = Buffer.alloc(300_000, "0123456789");
      peer.streams.get(1)?.write(body);
      let ofStream = firstBytes;
      let ofConnection = 65_535;
      for (const [isStream, bytes] of updates) {
        if (isStream) ofStream += bytes;
        else ofConnection += bytes;
        await peer.send(frame(FRAME.windowUpdate, 0, isStream ? 1 : 0, number(bytes)));
        const want = Math.min(ofStream, ofConnection, body.length);
        assert.deepEqual(peer.body(1), body.subarray(0, want));
      }
      await peer.leave();
    },
  );
  await fc.assert(property, { numRuns: 60 });
});

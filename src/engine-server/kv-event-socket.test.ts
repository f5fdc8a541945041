import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { decode } from "@msgpack/msgpack";
import { Dealer, Subscriber } from "zeromq";
import { freePorts } from "../../test/fixtures/free-ports.ts";
import type { KvEvent } from "../core/kv-event.ts";
import { noLog } from "../core/log.ts";
import { encodeKvEvents } from "./kv-event-encoding.ts";
import { type KvEventSocket, openKvEventSocket } from "./kv-event-socket.ts";

const STORED: KvEvent = {
  kind: "stored",
  blockHashes: [7, 8],
  parentHash: undefined,
  tokenIds: Uint32Array.from([1, 2, 3, 4]),
  blockTokens: 2,
};
const HASH = { bytes: 32, last: 8 };

test("kv-event-encoding: arrays leave unset fields at the end out", () => {
  const shape = { encoding: "array", isHashInt: true } as const;
  const events: readonly KvEvent[] = [STORED, { kind: "removed", blockHashes: [7] }];
  const [ts, written, rank] = decode(encodeKvEvents(events, 1.5, shape), {
    useBigInt64: true,
  }) as [number, unknown[][], number];
  const [stored = [], removed = []] = written;
  const [first, second] = stored[1] as bigint[];
  assert.equal(typeof first, "bigint");
  assert.notEqual(first, second);
  assert.deepEqual(stored, [
    "BlockStored",
    [first, second],
    null,
    [1, 2, 3, 4],
    2,
    null,
    "GPU",
    null,
  ]);
  assert.deepEqual(removed, ["BlockRemoved", [first], "GPU"]);
  assert.deepEqual([ts, rank], [1.5, 0]);
});

test("kv-event-encoding: maps name their fields, digests end in the numbers", () => {
  const salted: KvEvent = { ...STORED, cacheSalt: "salt" };
  const events: readonly KvEvent[] = [salted, { kind: "cleared" }];
  const map = decode(encodeKvEvents(events, 2, { encoding: "map", isHashInt: false })) as {
    ts: number;
    events: { type: string; block_hashes: Uint8Array[]; extra_keys: unknown }[];
  };
  const [stored, cleared] = map.events;
  assert.equal(stored?.type, "BlockStored");
  assert.deepEqual(stored?.extra_keys, [["salt"], null]);
  assert.deepEqual(cleared, { type: "AllBlocksCleared" });
  const digest = Buffer.from(stored?.block_hashes[0] ?? []);
  assert.equal(digest.length, HASH.bytes);
  const shape = { encoding: "map", isHashInt: true } as const;
  const ints = decode(encodeKvEvents([STORED], 2, shape), { useBigInt64: true }) as {
    events: { block_hashes: bigint[] }[];
  };
  assert.equal(ints.events[0]?.block_hashes[0], digest.readBigUInt64BE(HASH.bytes - HASH.last));
});

async function opened(
  t: TestContext,
  bufferSteps: number,
): Promise<{ socket: KvEventSocket; ports: readonly [number, number] }> {
  const [events = 0, replay = 0] = await freePorts(2);
  const socket = await openKvEventSocket(
    {
      endpoint: `tcp://*:${events}`,
      replayEndpoint: `tcp://*:${replay}`,
      bufferSteps,
      hwm: 1000,
      topic: "kv@engine",
      encoding: "map",
      isHashInt: true,
    },
    noLog,
  );
  t.after(() => socket.close());
  return { socket, ports: [events, replay] };
}

const batch = (sequence: number) => ({ sequence, atMs: 0, events: [STORED] });

test("kv-event-socket: messages have topic, number and payload", async (t) => {
  const { socket, ports } = await opened(t, 10);
  const subscriber = new Subscriber({ linger: 0 });
  t.after(() => subscriber.close());
  subscriber.subscribe("kv@");
  const connected = new Promise((resolve) => subscriber.events.on("handshake", resolve));
  subscriber.connect(`tcp://127.0.0.1:${ports[0]}`);
  await connected;
  // A subscription travels after the handshake; what is published before it arrives is lost.
  let sequence = 0;
  const timer = setInterval(() => socket.publish(batch(sequence++)), 10);
  const [topic, first, payload] = await subscriber.receive();
  const [, second] = await subscriber.receive();
  clearInterval(timer);
  assert.equal(topic?.toString(), "kv@engine");
  assert.ok(payload !== undefined && payload.length > 0);
  assert.equal(first?.length, 8);
  assert.equal(second?.readBigUInt64BE(), (first?.readBigUInt64BE() ?? 0n) + 1n);
});

test("kv-event-socket: what is kept is sent again, and -1 ends it", async (t) => {
  const { socket, ports } = await opened(t, 3);
  for (let sequence = 0; sequence < 5; sequence++) socket.publish(batch(sequence));
  const dealer = new Dealer({ linger: 0 });
  t.after(() => dealer.close());
  dealer.connect(`tcp://127.0.0.1:${ports[1]}`);
  for (const { from, want } of [
    { from: 0n, want: [2n, 3n, 4n] },
    { from: 4n, want: [4n] },
    { from: 9n, want: [] },
  ]) {
    const start = Buffer.alloc(8);
    start.writeBigUInt64BE(from);
    await dealer.send(["", start]);
    const sent: bigint[] = [];
    for (;;) {
      const [empty, sequence, payload] = await dealer.receive();
      assert.equal(empty?.length, 0);
      const number = sequence?.readBigUInt64BE() ?? 0n;
      if (number === 2n ** 64n - 1n) {
        assert.equal(payload?.length, 0);
        break;
      }
      sent.push(number);
    }
    assert.deepEqual(sent, want);
  }
});

test("kv-event-socket: a taken port is told with its address, and one that was closed can be had", async () => {
  const [port = 0] = await freePorts(1);
  const options = {
    endpoint: `tcp://*:${port}`,
    replayEndpoint: undefined,
    bufferSteps: 1,
    hwm: 1,
    topic: "",
    encoding: "map",
    isHashInt: true,
  } as const;
  const socket = await openKvEventSocket(options, noLog);
  const message = new RegExp(`cannot publish KV events on tcp://\\*:${port}`);
  await assert.rejects(openKvEventSocket(options, noLog), message);
  await socket.close();
  const again = await openKvEventSocket(options, noLog);
  await again.close();
});

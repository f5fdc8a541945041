import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { encode } from "@msgpack/msgpack";
import { Publisher, Router } from "zeromq";
import { eventually } from "../../test/fixtures/eventually.ts";
import { freePorts } from "../../test/fixtures/free-ports.ts";
import { keepingLog } from "../../test/fixtures/http-endpoint.ts";
import { endpointId } from "../core/brand.ts";
import type { KvEvent } from "../core/kv-event.ts";
import { EndpointStore } from "../endpoints/endpoint-store.ts";
import { type KvEventAccess, startKvEventSubscriber } from "./kv-event-subscriber.ts";

/** An engine's PUB socket; a message removes the block that has its number. */
class Engine {
  readonly socket: Publisher;
  readonly topic: string;

  private constructor(socket: Publisher, topic: string) {
    this.socket = socket;
    this.topic = topic;
  }

  static async bind(t: TestContext, port: number, topic = "kv@e"): Promise<Engine> {
    const socket = new Publisher({ linger: 0, sendHighWaterMark: 10 });
    t.after(() => socket.close());
    await socket.bind(`tcp://127.0.0.1:${port}`);
    return new Engine(socket, topic);
  }

  async send(sequence: number, payload?: Uint8Array): Promise<void> {
    const number = Buffer.alloc(8);
    number.writeBigUInt64BE(BigInt(sequence));
    const removal = encode([0, [["BlockRemoved", [sequence]]]]);
    await this.socket.send([this.topic, number, payload ?? removal]);
  }
}

function subscribe(t: TestContext, access: Partial<KvEventAccess>) {
  const store = new EndpointStore();
  const log = keepingLog();
  const counts = new Map<string, number>();
  const heard: (string | number)[] = [];
  const subscriber = startKvEventSubscriber({
    pool: "pool",
    core: {
      kvEvents(slot: number, events: readonly KvEvent[]) {
        for (const event of events) {
          const hash = event.kind === "removed" ? event.blockHashes[0] : event.kind;
          heard.push(`${slot}:${String(hash)}`);
        }
      },
    },
    table: store,
    access: { port: 0, replayPort: 0, topicFilter: "", ...access },
    clock: { nowMs: () => performance.now() },
    log,
    meter: {
      count: (name, labels, by = 1) => {
        const key = [name, ...Object.values(labels)].join(" ");
        counts.set(key, (counts.get(key) ?? 0) + by);
      },
      observe: () => undefined,
    },
  });
  t.after(() => subscriber.close());
  const add = (id: string, address = "127.0.0.1:1"): void => {
    store.apply({ kind: "added", endpoint: { id: endpointId(id), address, labels: {} } });
  };
  const connected = (slot: number): Promise<void> =>
    eventually(() => subscriber.status(slot)?.isConnected === true);
  return { store, log, counts, heard, subscriber, add, connected };
}

/** Sends messages until one is heard: a subscription takes its time to arrive. */
async function sendUntilHeard(engine: Engine, isHeard: () => boolean): Promise<void> {
  for (let sequence = 0; !isHeard(); sequence++) {
    await engine.send(sequence);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("kv-event-subscriber: ranks have ports of their own, other topics are not read", async (t) => {
  const ports = await freePorts(2);
  const [port = 0] = ports;
  const zero = await Engine.bind(t, port);
  const one = await Engine.bind(t, port + 1);
  const { add, connected, heard } = subscribe(t, { port, topicFilter: "kv@" });
  add("pod-rank-0");
  add("pod-rank-1");
  await connected(0);
  await connected(1);
  await sendUntilHeard(zero, () => heard.some((what) => `${what}`.startsWith("0:")));
  await sendUntilHeard(one, () => heard.some((what) => `${what}`.startsWith("1:")));
  const before = heard.length;
  await zero.socket.send(["other", Buffer.alloc(8), encode([0, [["AllBlocksCleared"]]])]);
  await sendUntilHeard(one, () => heard.length > before);
  assert.ok(heard.slice(before).every((what) => `${what}`.startsWith("1:")));
});

test("kv-event-subscriber: endpoints are followed as they come and go", async (t) => {
  const [port = 0] = await freePorts(1);
  const engine = await Engine.bind(t, port);
  const { store, add, connected, heard, subscriber } = subscribe(t, { port });
  add("late");
  await connected(0);
  await sendUntilHeard(engine, () => heard.length > 1);
  store.apply({ kind: "removed", id: endpointId("late") });
  await eventually(() => subscriber.activeCount === 0);
  const { length } = heard;
  add("next");
  await connected(0);
  await sendUntilHeard(engine, () => heard.length > length);
  assert.equal(heard[length], "0:cleared", "another endpoint's stream begins anew");
});

test("kv-event-subscriber: what cannot be read is counted, logged once and survived", async (t) => {
  const [port = 0] = await freePorts(1);
  const engine = await Engine.bind(t, port);
  const { add, connected, heard, counts, log, subscriber } = subscribe(t, { port });
  add("e");
  await connected(0);
  await sendUntilHeard(engine, () => heard.length > 0);
  const next = (subscriber.status(0)?.lastSequence ?? 0) + 1;
  await engine.socket.send("one frame");
  await engine.socket.send(["kv@e", Buffer.alloc(3), "payload"]);
  await engine.send(next, Buffer.from("nonsense"));
  await engine.send(next + 1);
  await eventually(() => subscriber.status(0)?.lastSequence === next + 1);
  assert.equal(subscriber.status(0)?.faultCount, 3);
  assert.equal(counts.get("kv-faults pool"), 3);
  assert.equal(counts.get("kv-resyncs pool malformed"), 1);
  assert.deepEqual(heard.slice(-2), ["0:cleared", `0:${next + 1}`]);
  assert.deepEqual(log.events, ["kv-events-malformed e", "kv-resync e"]);
});

test("kv-event-subscriber: messages that come too fast are lost in front of the router", async (t) => {
  const [port = 0] = await freePorts(1);
  const engine = await Engine.bind(t, port);
  const { add, connected, counts, subscriber } = subscribe(t, { port });
  add("e");
  await connected(0);
  await sendUntilHeard(engine, () => subscriber.status(0)?.lastSequence !== undefined);
  const first = (subscriber.status(0)?.lastSequence ?? 0) + 1;
  const large = encode([0, [["BlockRemoved", [1]], { filling: "x".repeat(100_000) }]]);
  const last = first + 3000;
  // Nobody reads before the loop is done: buffers fill, and the rest is dropped.
  for (let sequence = first; sequence < last; sequence++) await engine.send(sequence, large);
  await eventually(() => (subscriber.status(0)?.lastSequence ?? 0) >= first);
  let sequence = last;
  while ((subscriber.status(0)?.lastSequence ?? 0) < last) {
    await engine.send(sequence++);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const status = subscriber.status(0);
  assert.ok((status?.messageCount ?? 0) < 3000);
  assert.ok((status?.gapCount ?? 0) >= 1);
  assert.equal(counts.get("kv-gaps pool lost"), status?.gapCount);
  assert.equal(counts.get("kv-resyncs pool gap"), status?.resyncCount);
});

for (const { name, answer } of [
  { name: "nobody answers", answer: undefined },
  { name: "something else answers", answer: ["", "what?"] },
]) {
  test(`kv-event-subscriber: a replay that fails is counted: ${name}`, async (t) => {
    const [port = 0, replayPort = 0] = await freePorts(2);
    const engine = await Engine.bind(t, port);
    const router = new Router({ linger: 0 });
    await router.bind(`tcp://127.0.0.1:${replayPort}`);
    const answering = (async () => {
      for await (const [client] of router) {
        if (answer !== undefined && client !== undefined) await router.send([client, ...answer]);
      }
    })();
    t.after(async () => {
      router.close();
      await answering;
    });
    const { add, connected, heard, counts, log } = subscribe(t, { port, replayPort });
    add("e");
    await connected(0);
    await sendUntilHeard(engine, () => heard.length > 1);
    assert.ok((counts.get("kv-errors pool") ?? 0) >= 1);
    assert.deepEqual(log.events, ["kv-replay-failed e"]);
  });
}

test("kv-event-subscriber: an endpoint without such a port is tried again until there is one", async (t) => {
  const [port = 0] = await freePorts(1);
  const { add, connected, subscriber } = subscribe(t, { port });
  add("e");
  await eventually(() => subscriber.activeCount === 1);
  assert.equal(subscriber.status(0)?.isConnected, false);
  await Engine.bind(t, port);
  await connected(0);
});

test("kv-event-subscriber: an address that is none ends with a log line", async (t) => {
  const { add, log } = subscribe(t, { port: 65_535 });
  add("pod-rank-9");
  await eventually(() => log.events.length > 0);
  assert.deepEqual(log.events, ["kv-events-failed pod-rank-9"]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "@msgpack/msgpack";
import type { KvEvent } from "../core/kv-event.ts";
import { KvEventStream, type KvStreamOccurrence } from "./kv-event-stream.ts";
import type { KvMessage } from "./kv-message.ts";

/** An engine whose n-th message removes the block n; it keeps the last ones. */
class Engine {
  /** Told apart from its predecessor by the hashes it names. */
  readonly base: number;
  kept: KvMessage[] = [];
  isAnswering = true;
  readonly asked: number[] = [];

  constructor(base = 0) {
    this.base = base;
  }

  message(sequence: number): KvMessage {
    return { sequence, payload: encode([0, [["BlockRemoved", [this.base + sequence]]]]) };
  }

  /** Publishes up to a number, of which the last `keep` are kept. */
  published(to: number, keep = 1000): this {
    const from = Math.max(0, to - keep + 1);
    this.kept = Array.from({ length: to - from + 1 }, (_, i) => this.message(from + i));
    return this;
  }

  async *replay(from: number): AsyncGenerator<KvMessage | "failed"> {
    this.asked.push(from);
    await Promise.resolve();
    if (this.isAnswering) yield* this.kept.filter(({ sequence }) => sequence >= from);
    else yield "failed";
  }
}

function listen(engine: Engine, isReplaying = true) {
  const heard: (number | "cleared")[] = [];
  const occurrences: KvStreamOccurrence[] = [];
  const current = { engine };
  let isBegun = false;
  let nowMs = 0;
  const stream = new KvEventStream({
    apply(events: readonly KvEvent[]) {
      for (const event of events) {
        // A stream begins with an empty index, whatever was there.
        if (event.kind === "cleared" && isBegun) heard.push("cleared");
        isBegun = true;
        if (event.kind === "removed") heard.push(...(event.blockHashes as readonly number[]));
      }
    },
    replay: isReplaying ? (from) => current.engine.replay(from) : undefined,
    note: (occurrence) => occurrences.push(occurrence),
    // Long pauses between two looks at the watch: each replay is asked for.
    stopwatch: { nowMs: () => (nowMs += 10_000) },
  });
  const live = async (...sequences: readonly number[]): Promise<void> => {
    for (const sequence of sequences) await stream.message(current.engine.message(sequence));
  };
  const kinds = (): readonly string[] =>
    occurrences.flatMap((found) => {
      if (found.kind === "gap") return [`gap ${found.missedCount} ${found.isClosed}`];
      return found.kind === "resync" ? [found.reason] : [];
    });
  return { stream, heard, live, kinds, current };
}

test("kv-event-stream: messages are applied in order", async () => {
  const { heard, live, kinds, stream } = listen(new Engine());
  assert.equal(stream.lastSequence, undefined);
  await live(0, 1, 2);
  assert.deepEqual(heard, [0, 1, 2]);
  assert.deepEqual(kinds(), []);
  assert.equal(stream.lastSequence, 2);
});

test("kv-event-stream: what was published before the router listened is asked for", async () => {
  const engine = new Engine().published(4);
  const { heard, live, stream } = listen(engine);
  await stream.connected();
  assert.deepEqual(heard, [0, 1, 2, 3, 4]);
  await live(3, 4, 5);
  assert.deepEqual(heard, [0, 1, 2, 3, 4, 5]);
});

test("kv-event-stream: the first message may be a late one, with and without replay", async () => {
  const full = listen(new Engine().published(4));
  await full.live(4, 5);
  assert.deepEqual(full.heard, [0, 1, 2, 3, 4, 5]);
  const part = listen(new Engine().published(4, 2));
  await part.live(5);
  assert.deepEqual(part.heard, [3, 4, 5]);
  const none = listen(new Engine(), false);
  await none.live(4, 5);
  assert.deepEqual(none.heard, [4, 5]);
  assert.deepEqual(none.kinds(), []);
});

test("kv-event-stream: a gap is closed by replay, and what came twice counts once", async () => {
  const engine = new Engine();
  const { heard, live, kinds } = listen(engine);
  await live(0, 1);
  engine.published(7);
  await live(5, 6, 7, 8);
  assert.deepEqual(heard, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual(kinds(), ["gap 3 true"]);
  assert.deepEqual(engine.asked, [2]);
});

for (const { name, prepare } of [
  { name: "the engine no longer has the messages", prepare: (e: Engine) => e.published(7, 2) },
  { name: "the engine has one of them only", prepare: (e: Engine) => e.published(2) },
  {
    name: "the engine does not answer",
    prepare: (engine: Engine) => {
      engine.isAnswering = false;
    },
  },
]) {
  test(`kv-event-stream: a gap stays and all is given up: ${name}`, async () => {
    const engine = new Engine();
    const { heard, live, kinds } = listen(engine);
    await live(0, 1);
    prepare(engine);
    await live(5, 6);
    assert.deepEqual(heard.slice(-3), ["cleared", 5, 6]);
    assert.deepEqual(kinds(), ["gap 3 false", "gap"]);
  });
}

test("kv-event-stream: without replay a gap means to start over", async () => {
  const { heard, live, kinds } = listen(new Engine(), false);
  await live(0, 3, 4);
  assert.deepEqual(heard, [0, "cleared", 3, 4]);
  assert.deepEqual(kinds(), ["gap 2 false", "gap"]);
});

test("kv-event-stream: an engine that counts from 0 again is another one", async () => {
  const { heard, live, kinds, current } = listen(new Engine(), false);
  await live(0, 1, 2);
  current.engine = new Engine(100);
  await live(0, 1);
  assert.deepEqual(heard, [0, 1, 2, "cleared", 100, 101]);
  assert.deepEqual(kinds(), ["restart"]);
});

test("kv-event-stream: on reconnecting the last message shows whether the engine is the same", async () => {
  const engine = new Engine();
  const { stream, heard, live, kinds, current } = listen(engine);
  await live(0, 1, 2);
  engine.published(5);
  await stream.connected();
  assert.deepEqual(heard, [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(kinds(), []);
  current.engine = new Engine(100).published(1);
  await stream.connected();
  await live(2);
  assert.deepEqual(heard.slice(6), ["cleared", 100, 101, 102]);
  current.engine = new Engine(200);
  await stream.connected();
  assert.deepEqual(heard.slice(10), ["cleared"], "a fresh engine holds nothing before it speaks");
  await live(0);
  assert.deepEqual(heard.slice(11), [200]);
  assert.deepEqual(kinds(), ["restart", "restart"]);
});

test("kv-event-stream: a restarted engine that does not answer yet is known by its numbers", async () => {
  const { stream, heard, live, kinds, current } = listen(new Engine());
  await live(0, 1, 2);
  current.engine = new Engine(100);
  current.engine.isAnswering = false;
  await stream.connected();
  await live(0, 1);
  assert.deepEqual(heard, [0, 1, 2, "cleared", 100, 101]);
  assert.deepEqual(kinds(), ["restart"]);
});

test("kv-event-stream: blocks that the router has forgotten are asked for from the start", async () => {
  const engine = new Engine();
  const { stream, heard, live, kinds } = listen(engine);
  await live(0, 1);
  engine.published(1);
  await stream.forgotten();
  assert.deepEqual(heard, [0, 1, "cleared", 0, 1]);
  assert.deepEqual(kinds(), []);
});

test("kv-event-stream: calls at once are carried out one after another", async () => {
  const engine = new Engine().published(20);
  const { stream, heard } = listen(engine);
  await Promise.all([
    stream.connected(),
    stream.connected(),
    ...Array.from({ length: 25 }, (_, sequence) => stream.message(engine.message(sequence))),
  ]);
  assert.deepEqual(
    heard,
    Array.from({ length: 25 }, (_, sequence) => sequence),
  );
  assert.deepEqual(engine.asked, [0]);
});

test("kv-event-stream: a payload that cannot be read means to start over", async () => {
  const { stream, heard, live, kinds } = listen(new Engine());
  await live(0);
  await stream.message({ sequence: 1, payload: Buffer.from("nonsense") });
  await live(2);
  assert.deepEqual(heard, [0, "cleared", 2]);
  assert.deepEqual(kinds(), ["malformed"]);
});

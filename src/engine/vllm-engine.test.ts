import assert from "node:assert/strict";
import test from "node:test";
import { requestId } from "../core/brand.ts";
import { configWith, drain, handle, Recorder, requestWith } from "./engine-fixture.test.ts";
import { createEngine } from "./vllm-engine.ts";

const noSink = new Recorder();

test("engine: a lone request gets its tokens at step times and ends once", () => {
  const engine = createEngine(configWith());
  const recorder = new Recorder();
  engine.submit(requestWith("a", 1000, 200), 0);
  const endUs = drain(engine, recorder);
  const times = recorder.tokenTimes.get("a") ?? [];
  assert.equal(times.length, 200);
  assert.equal(times.at(-1), endUs);
  // Llama-3.1-8B on H100: 1000 tokens of prefill take some 27 ms, a decode step 6.3 ms.
  assert.ok((times[0] as number) > 20_000 && (times[0] as number) < 40_000);
  assert.deepEqual(recorder.finish("a"), {
    id: "a",
    end: "done",
    atUs: endUs,
    generatedTokens: 200,
    cachedTokens: 0,
    loadedTokens: 0,
    queuedUs: 0,
    preemptionCount: 0,
  });
  assert.equal(engine.gauges.kvCacheUsage, 0);
  assert.equal(engine.nextEventUs(), Number.POSITIVE_INFINITY);
});

test("engine: decode steps are jumped over", () => {
  const engine = createEngine(configWith());
  engine.submit(requestWith("a", 100, 10_000), 0);
  let events = 0;
  for (; Number.isFinite(engine.nextEventUs()); events++) {
    engine.advance(engine.nextEventUs(), noSink);
  }
  assert.ok(events <= 4, `${events}`);
});

test("engine: a streaming driver finds each step", () => {
  const engine = createEngine(configWith());
  const recorder = new Recorder();
  engine.submit(requestWith("a", 100, 50), 0);
  engine.advance(1, recorder);
  for (let token = 1; token <= 50; token++) {
    const nowUs = Number.isFinite(engine.nextStepUs()) ? engine.nextStepUs() : engine.nextEventUs();
    engine.advance(nowUs, recorder);
    engine.advance(nowUs + 1, recorder);
    assert.equal(recorder.tokenTimes.get("a")?.length, token);
    assert.equal(recorder.tokenTimes.get("a")?.at(-1), nowUs);
  }
});

test("engine: arrivals at one instant share the first step", () => {
  const engine = createEngine(configWith());
  const recorder = new Recorder();
  for (const id of ["a", "b", "c"]) {
    engine.advance(500, recorder);
    engine.submit(requestWith(id, 100, 1), 500);
  }
  drain(engine, recorder, 500);
  const firsts = ["a", "b", "c"].map((id) => recorder.tokenTimes.get(id)?.[0]);
  assert.equal(new Set(firsts).size, 1);
});

test("engine: a step under way is finished before an arrival is served", () => {
  const engine = createEngine(configWith());
  const recorder = new Recorder();
  engine.submit(requestWith("a", 1000, 100), 0);
  engine.advance(50_000, recorder);
  const stepEndUs = engine.nextStepUs();
  engine.submit(requestWith("b", 1000, 1), 50_000);
  assert.equal(engine.nextEventUs(), stepEndUs);
  drain(engine, recorder, 50_000);
  assert.ok(recorder.tokenTimes.get("a")?.includes(stepEndUs));
  const { queuedUs } = recorder.finish("b");
  assert.equal(queuedUs, stepEndUs - 50_000);
});

test("engine: a long prompt goes in chunks and decodes go on beside it", () => {
  const engine = createEngine(configWith({ maxNumBatchedTokens: 512, maxNumSeqs: 8 }));
  const recorder = new Recorder();
  engine.submit(requestWith("a", 100, 40), 0);
  engine.advance(50_000, recorder);
  engine.submit(requestWith("b", 5000, 1), 50_000);
  drain(engine, recorder, 50_000);
  const firstOfB = recorder.tokenTimes.get("b")?.[0] as number;
  const between = (recorder.tokenTimes.get("a") ?? []).filter((t) => t > 60_000 && t < firstOfB);
  // 5000 tokens in chunks of 511 are 10 steps.
  assert.equal(between.length, 9);
});

test("engine: a known prompt is found, but for the block of its last token", () => {
  for (const [tokens, cached] of [
    [100, 96],
    [96, 80],
    [16, 0],
    [15, 0],
  ] as const) {
    const engine = createEngine(configWith());
    const recorder = new Recorder();
    engine.submit(requestWith("a", tokens, 5, { stem: 1 }), 0);
    const nowUs = drain(engine, recorder);
    engine.submit(requestWith("b", tokens, 5, { stem: 1 }), nowUs);
    drain(engine, recorder, nowUs);
    assert.equal(recorder.finish("a").cachedTokens, 0);
    assert.equal(recorder.finish("b").cachedTokens, cached);
    assert.equal(engine.gauges.prefixCacheQueries, 2 * tokens);
    assert.equal(engine.gauges.prefixCacheHits, cached);
  }
});

test("engine: without prefix caching nothing is found", () => {
  const engine = createEngine(configWith({ isPrefixCachingEnabled: false }));
  const recorder = new Recorder();
  engine.submit(requestWith("a", 100, 5, { stem: 1 }), 0);
  const nowUs = drain(engine, recorder);
  engine.submit(requestWith("b", 100, 5, { stem: 1 }), nowUs);
  drain(engine, recorder, nowUs);
  assert.equal(recorder.finish("b").cachedTokens, 0);
  assert.equal(engine.gauges.prefixCacheQueries, 0);
});

test("engine: when blocks run out the last of the batch goes to the head of the queue", () => {
  const engine = createEngine(configWith({ blockCount: 41, maxModelLen: 640 }));
  const recorder = new Recorder();
  engine.submit(requestWith("a", 300, 200), 0);
  engine.submit(requestWith("b", 300, 200), 0);
  engine.submit(requestWith("c", 400, 1), 0);
  drain(engine, recorder);
  assert.equal(recorder.finish("a").preemptionCount, 0);
  assert.equal(recorder.finish("b").preemptionCount, 1);
  assert.equal(recorder.tokenTimes.get("b")?.length, 200);
  assert.equal(engine.gauges.preemptions, 1);
  assert.deepEqual(
    recorder.finishes.map((finish) => finish.id),
    ["a", "b", "c"],
  );
});

test("engine: an aborted request leaves at the end of the step and frees its blocks", () => {
  const engine = createEngine(configWith());
  const recorder = new Recorder();
  engine.submit(requestWith("a", 100, 1000), 0);
  engine.submit(requestWith("b", 100, 3), 0);
  engine.advance(100_000, recorder);
  const stepEndUs = engine.nextStepUs();
  engine.abort(requestId("a"), 100_000);
  engine.abort(requestId("a"), 100_000);
  engine.abort(requestId("b"), 100_000);
  drain(engine, recorder, 100_000);
  assert.equal(recorder.finish("a").end, "aborted");
  assert.equal(recorder.finish("a").atUs, stepEndUs);
  assert.equal(recorder.finish("b").end, "done");
  assert.equal(engine.gauges.kvCacheUsage, 0);
});

const faults = [
  { name: "an empty prompt", prompt: 0, output: 1, text: /empty/ },
  { name: "no output", prompt: 1, output: 0, text: /max_tokens must be at least 1/ },
  { name: "a prompt as long as the context", prompt: 640, output: 1, text: /640 input tokens/ },
  { name: "too large an answer", prompt: 600, output: 41, text: /41 > 640 - 600/ },
];
for (const { name, prompt, output, text } of faults) {
  test(`engine: ${name} is refused in vLLM's words`, () => {
    const engine = createEngine(configWith({ blockCount: 41, maxModelLen: 640 }));
    assert.match(engine.fault(prompt, output) ?? "", text);
    assert.throws(() => engine.submit(requestWith("a", prompt, output), 0), /./);
  });
}

test("engine: a request larger than the pool is refused, one as large runs", () => {
  const config = { ...configWith(), blockCount: 41 };
  const engine = createEngine(config);
  assert.match(engine.fault(630, 12) ?? "", /larger than the 640 tokens/);
  assert.equal(engine.fault(630, 11), undefined);
  const recorder = new Recorder();
  engine.submit(requestWith("a", 630, 11), 0);
  drain(engine, recorder);
  assert.equal(recorder.finish("a").generatedTokens, 11);
});

test("engine: calls out of time and from a sink are programmer's errors", () => {
  const engine = createEngine(configWith());
  engine.advance(10, noSink);
  assert.throws(() => engine.advance(9, noSink), /went back/);
  assert.throws(() => engine.submit(requestWith("a", 10, 1), 11), /advanced to 10/);
  engine.submit(requestWith("a", 10, 1), 10);
  assert.throws(() => engine.submit(requestWith("a", 10, 1), 10), /running already/);
  const sink = new Recorder();
  sink.finished = (): void => engine.abort(requestId("a"), 1e9);
  assert.throws(() => engine.advance(1e9, sink), /called its engine back/);
});

test("engine: block events say what was stored and evicted, in order and at step starts", () => {
  const engine = createEngine(
    configWith({ blockCount: 6, maxModelLen: 80, isKvEventsEnabled: true }),
  );
  const recorder = new Recorder();
  const first = requestWith("a", 40, 10, { cacheSalt: "tenant" });
  engine.submit(first, 0);
  let nowUs = drain(engine, recorder);
  const [start, output] = recorder.kv;
  assert.equal(start?.atUs, 0);
  assert.deepEqual(start?.events, [
    {
      kind: "stored",
      blockHashes: [...first.prompt.blockKeys],
      parentHash: undefined,
      tokenIds: first.prompt.tokenIds?.subarray(0, 32),
      blockTokens: 16,
      cacheSalt: "tenant",
    },
  ]);
  // The answer's ninth token is the 48th of all and is fed to the step after the one that gave it.
  const [generated] = output?.events ?? [];
  assert.ok(generated?.kind === "stored" && generated.tokenIds.length === 16);
  assert.equal(generated.parentHash, first.prompt.blockKeys[1]);
  assert.deepEqual([...generated.tokenIds.subarray(0, 8)], [32, 33, 34, 35, 36, 37, 38, 39]);
  assert.equal(output?.atUs, recorder.tokenTimes.get("a")?.[7]);

  recorder.kv.length = 0;
  engine.submit(requestWith("b", 79, 1), nowUs);
  nowUs = drain(engine, recorder, nowUs);
  const kinds = recorder.kv.flatMap(({ events }) => events.map((event) => event.kind));
  assert.deepEqual(kinds, ["removed", "stored"]);
  const [removed] = recorder.kv[0]?.events ?? [];
  assert.ok(removed?.kind === "removed");
  const [head, second] = first.prompt.blockKeys;
  assert.deepEqual(removed.blockHashes, [generated.blockHashes[0], second, head]);
});

test("engine: no block events unless enabled", () => {
  const engine = createEngine(configWith());
  const recorder = new Recorder();
  engine.submit(requestWith("a", 40, 10), 0);
  drain(engine, recorder);
  assert.equal(recorder.kv.length, 0);
});

test("engine: held blocks stay until they are released", () => {
  const engine = createEngine(configWith());
  const recorder = new Recorder();
  const kv = { kind: "hold", handle: handle("h") } as const;
  engine.submit(requestWith("a", 100, 1, { kv }), 0);
  engine.advance(1_000_000, recorder);
  assert.deepEqual(recorder.finish("a").end, "done");
  const held = engine.kvHeld(handle("h"), 1_000_000);
  assert.equal(held?.tokenCount, 100);
  assert.equal(held?.blockCount, 7);
  assert.equal(engine.gauges.heldBlocks, 7);
  assert.equal(engine.kvReleased(handle("h"), 1_000_000), true);
  assert.equal(engine.kvReleased(handle("h"), 1_000_000), false);
  assert.equal(engine.kvHeld(handle("h"), 1_000_000), undefined);
  assert.equal(engine.gauges.kvCacheUsage, 0);
});

test("engine: blocks held and expired within one advance are free when they expire", () => {
  const engine = createEngine(configWith({ blockCount: 11, maxModelLen: 160, kvHoldUs: 500_000 }));
  const recorder = new Recorder();
  const kv = { kind: "hold", handle: handle("h") } as const;
  engine.submit(requestWith("a", 100, 1, { kv }), 0);
  engine.submit(requestWith("b", 100, 1), 0);
  engine.advance(5_000_000, recorder);
  assert.equal(recorder.finish("b").queuedUs, recorder.finish("a").atUs + 500_000);
});

test("engine: held blocks expire and make room for who waits for them", () => {
  const engine = createEngine(
    configWith({ blockCount: 11, maxModelLen: 160, kvHoldUs: 5_000_000 }),
  );
  const recorder = new Recorder();
  const kv = { kind: "hold", handle: handle("h") } as const;
  engine.submit(requestWith("a", 100, 1, { kv }), 0);
  engine.advance(100_000, recorder);
  const expiryUs = recorder.finish("a").atUs + 5_000_000;
  engine.submit(requestWith("b", 100, 1), 100_000);
  engine.advance(200_000, recorder);
  assert.equal(engine.gauges.waitingRequests, 1);
  assert.equal(engine.nextEventUs(), expiryUs);
  // One long advance frees them at the same time as many short ones.
  engine.advance(20_000_000, recorder);
  assert.equal(engine.kvHeld(handle("h"), expiryUs), undefined);
  assert.equal(recorder.finish("b").queuedUs, expiryUs - 100_000);
});

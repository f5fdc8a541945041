import assert from "node:assert/strict";
import test from "node:test";
import { requestId } from "../core/brand.ts";
import { configWith, drain, handle, Recorder, requestWith } from "./engine-fixture.test.ts";
import { createEngine } from "./vllm-engine.ts";

const load = (tokenCount: number) => ({ kind: "load", handle: handle("h"), tokenCount }) as const;

test("kv load: blocks are asked for, and one step after their arrival gives the first token", () => {
  const engine = createEngine(configWith());
  const recorder = new Recorder();
  engine.submit(requestWith("a", 1000, 5, { kv: load(1000) }), 0);
  engine.advance(80_000, recorder);
  assert.deepEqual(recorder.wanted, [{ id: "a", tokenCount: 1000, atUs: 0 }]);
  assert.equal(engine.gauges.waitingRequests, 1);
  assert.equal(engine.gauges.runningRequests, 0);
  assert.ok(engine.gauges.kvCacheUsage > 0);
  assert.equal(engine.nextEventUs(), Number.POSITIVE_INFINITY);
  engine.kvArrived(handle("h"), 80_000);
  drain(engine, recorder, 80_000);
  const finish = recorder.finish("a");
  assert.equal(finish.loadedTokens, 1000);
  assert.equal(finish.cachedTokens, 0);
  assert.equal(finish.queuedUs, 80_000);
  // A decode step of the 8B model takes 6.3 ms; computing the prompt would take four times as long.
  assert.ok((recorder.tokenTimes.get("a")?.[0] as number) < 88_000);
});

test("kv load: loaded blocks are cached for the next request", () => {
  const engine = createEngine(configWith());
  const recorder = new Recorder();
  engine.submit(requestWith("a", 1000, 5, { stem: 1, kv: load(1000) }), 0);
  engine.advance(1000, recorder);
  engine.kvArrived(handle("h"), 1000);
  const nowUs = drain(engine, recorder, 1000);
  engine.submit(requestWith("b", 1000, 5, { stem: 1 }), nowUs);
  drain(engine, recorder, nowUs);
  assert.equal(recorder.finish("b").cachedTokens, 992);
});

test("kv load: only what is not cached here is asked for", () => {
  for (const { cachedPrompt, wanted } of [
    { cachedPrompt: 512, wanted: 488 },
    { cachedPrompt: 1000, wanted: 8 },
  ]) {
    const engine = createEngine(configWith());
    const recorder = new Recorder();
    engine.submit(requestWith("a", cachedPrompt, 1, { stem: 1 }), 0);
    const nowUs = drain(engine, recorder);
    engine.submit(requestWith("b", 1000, 1, { stem: 1, kv: load(1000) }), nowUs);
    engine.advance(nowUs + 10, recorder);
    assert.equal(recorder.wanted[0]?.tokenCount, wanted);
    engine.kvArrived(handle("h"), nowUs + 10);
    drain(engine, recorder, nowUs + 10);
    assert.equal(recorder.finish("b").loadedTokens, wanted);
    assert.equal(recorder.finish("b").cachedTokens, 1000 - wanted);
  }
});

test("kv load: a prompt that is cached here wants nothing, so that the holder frees", () => {
  const engine = createEngine(configWith());
  const recorder = new Recorder();
  engine.submit(requestWith("a", 1024, 1, { stem: 1 }), 0);
  const nowUs = drain(engine, recorder);
  engine.submit(requestWith("b", 1024, 3, { stem: 1, kv: load(1024) }), nowUs);
  drain(engine, recorder, nowUs);
  assert.deepEqual(recorder.wanted, [{ id: "b", tokenCount: 0, atUs: nowUs }]);
  assert.equal(recorder.finish("b").generatedTokens, 3);
  assert.equal(recorder.finish("b").cachedTokens, 1008);
});

test("kv load: a failed transfer fails the request or lets it compute, by the policy", () => {
  for (const [kvLoadFailurePolicy, end, generatedTokens] of [
    ["fail", "kv-load-failed", 0],
    ["recompute", "done", 5],
  ] as const) {
    const engine = createEngine(configWith({ kvLoadFailurePolicy }));
    const recorder = new Recorder();
    engine.submit(requestWith("a", 1000, 5, { kv: load(1000) }), 0);
    engine.advance(30_000, recorder);
    engine.kvFailed(handle("h"), 30_000);
    drain(engine, recorder, 30_000);
    assert.equal(recorder.finish("a").end, end);
    assert.equal(recorder.finish("a").generatedTokens, generatedTokens);
    assert.equal(recorder.finish("a").loadedTokens, 0);
    assert.equal(engine.gauges.kvCacheUsage, 0);
    assert.equal(recorder.wanted.length, 1);
  }
});

test("kv load: what a holder lacks is computed", () => {
  const engine = createEngine(configWith());
  const recorder = new Recorder();
  engine.submit(requestWith("a", 1000, 2, { kv: load(500) }), 0);
  engine.advance(10, recorder);
  engine.kvArrived(handle("h"), 10);
  drain(engine, recorder, 10);
  assert.equal(recorder.finish("a").loadedTokens, 500);
  assert.equal(recorder.finish("a").generatedTokens, 2);
});

test("kv load: an abort frees the blocks; before the transfer it tells the holder", () => {
  const engine = createEngine(configWith({ maxNumSeqs: 1 }));
  const recorder = new Recorder();
  engine.submit(requestWith("a", 1000, 5, { kv: load(1000) }), 0);
  engine.advance(10, recorder);
  engine.abort(requestId("a"), 10);
  engine.advance(20, recorder);
  engine.kvArrived(handle("h"), 20);
  assert.equal(recorder.finish("a").end, "aborted");
  assert.equal(engine.gauges.kvCacheUsage, 0);

  engine.submit(requestWith("b", 100, 500), 20);
  engine.advance(30, recorder);
  engine.submit(requestWith("c", 1000, 5, { kv: load(1000) }), 30);
  engine.abort(requestId("c"), 30);
  drain(engine, recorder, 30);
  assert.equal(recorder.finish("c").end, "aborted");
  assert.deepEqual(
    recorder.wanted.map(({ id, tokenCount }) => [id, tokenCount]),
    [
      ["a", 1000],
      ["c", 0],
    ],
  );
});

test("kv load: loaded sequences go ahead of a head that needs their blocks", () => {
  const engine = createEngine(configWith({ blockCount: 21, maxModelLen: 320 }));
  const recorder = new Recorder();
  engine.submit(requestWith("a", 150, 50), 0);
  engine.submit(requestWith("b", 150, 20, { kv: load(150) }), 0);
  engine.advance(10_000, recorder);
  engine.submit(requestWith("c", 200, 5), 10_000);
  // Growing, "a" takes what is left and then has to go, while "b" still waits for its blocks.
  engine.advance(900_000, recorder);
  engine.kvArrived(handle("h"), 900_000);
  drain(engine, recorder, 900_000);
  for (const id of ["a", "b", "c"]) assert.equal(recorder.finish(id).end, "done");
});

test("kv load: when the only running sequence has to go, a loaded one takes its place", () => {
  const engine = createEngine(configWith({ blockCount: 21, maxModelLen: 320, maxNumSeqs: 1 }));
  const recorder = new Recorder();
  const holder = { kind: "hold", handle: handle("held") } as const;
  engine.submit(requestWith("p", 100, 1, { kv: holder }), 0);
  engine.submit(requestWith("b", 100, 5, { kv: load(100) }), 0);
  engine.advance(100_000, recorder);
  engine.submit(requestWith("a", 60, 80), 100_000);
  engine.advance(110_000, recorder);
  engine.kvArrived(handle("h"), 110_000);
  // Held are 7 blocks, loaded 7, so that "a" stops at 6 of the 9 that it needs.
  engine.advance(2_000_000, recorder);
  assert.equal(recorder.finish("a").preemptionCount, 1);
  assert.ok(recorder.finish("b").atUs < recorder.finish("a").atUs);
});

test("kv load: an unknown handle is nobody's", () => {
  const engine = createEngine(configWith());
  engine.kvArrived(handle("x"), 0);
  engine.kvFailed(handle("x"), 0);
  assert.equal(engine.nextEventUs(), Number.POSITIVE_INFINITY);
});

import assert from "node:assert/strict";
import test from "node:test";
import {
  type Bench,
  type BenchOptions,
  benchFor,
  parameterFaults,
  scoresFor,
  scoresOn,
} from "../../../test/fixtures/plugin-bench.ts";
import { poolWith, served } from "../../../test/fixtures/pool-core.ts";
import { requestWith } from "../../../test/fixtures/request-with.ts";
import { noHitLruScorer } from "./no-hit-lru.ts";

const matched = (...blocks: readonly number[]): BenchOptions => ({
  match: { blockCount: 4, blockBytes: 64, matchedBySlot: Int32Array.from(blocks) },
});
const COLD = matched(0, 0, 0);

/** Scores, and lets the request go to a slot. */
function send(bench: Bench, slot: number, prefillSlot?: number): readonly number[] {
  const scores = scoresOn(bench);
  bench.instance.onPlan?.(bench.cycle, {
    primary: [slot],
    prefill: prefillSlot === undefined ? [] : [prefillSlot],
    encode: [],
    setHeader: () => undefined,
  });
  bench.next();
  return scores;
}

for (const [name, count, options, want] of [
  ["a cold request ranks unused ones in their order", 3, COLD, [1, 0.5, 0]],
  ["one hit anywhere is neutral for all", 3, matched(0, 1, 0), [0.5, 0.5, 0.5]],
  ["a single one is the best", 1, matched(0), [1]],
  ["a match that nobody produced is unknown", 3, {}, [0.5, 0.5, 0.5]],
  ["a hit of an endpoint that is no candidate", 2, matched(0, 0, 4), [1, 0]],
  ["nobody", 0, matched(), []],
] as const) {
  test(`no-hit-lru-scorer: ${name}`, () => {
    const endpoints = Array.from({ length: count }, () => ({}));
    assert.deepEqual(scoresFor(noHitLruScorer, endpoints, options), want);
  });
}

test("no-hit-lru-scorer: cold requests go round", () => {
  const bench = benchFor(noHitLruScorer, [{}, {}, {}], COLD);
  assert.deepEqual(send(bench, 0), [1, 0.5, 0]);
  assert.deepEqual(send(bench, 1), [0, 1, 0.5]);
  assert.deepEqual(send(bench, 2), [0.5, 0, 1]);
  assert.deepEqual(send(bench, 0), [1, 0.5, 0]);
  assert.deepEqual(send(bench, 1), [0, 1, 0.5]);
});

test("no-hit-lru-scorer: the picker's choice counts, and prefill is used after the destination", () => {
  const bench = benchFor(noHitLruScorer, [{}, {}, {}], COLD);
  send(bench, 2, 0);
  assert.deepEqual(scoresOn(bench), [0, 1, 0.5]);
});

test("no-hit-lru-scorer: a warm request does not move anybody", () => {
  const bench = benchFor(noHitLruScorer, [{}, {}], matched(1, 0));
  send(bench, 0);
  assert.deepEqual(bench.instance.dumpState?.(), { oldestFirst: [] });
});

test("no-hit-lru-scorer: a request that it did not score does not move anybody", () => {
  const bench = benchFor(noHitLruScorer, [{}, {}], COLD);
  scoresOn(bench);
  bench.next();
  bench.instance.onPlan?.(bench.cycle, {
    primary: [0],
    prefill: [],
    encode: [],
    setHeader: () => undefined,
  });
  assert.deepEqual(bench.instance.dumpState?.(), { oldestFirst: [] });
});

test("no-hit-lru-scorer: a lone candidate is the best although it was used", () => {
  const bench = benchFor(noHitLruScorer, [{}], COLD);
  send(bench, 0);
  assert.deepEqual(scoresOn(bench), [1]);
});

test("no-hit-lru-scorer: it remembers lruSize endpoints and forgets removed ones", () => {
  const bench = benchFor(noHitLruScorer, [{}, {}, {}], { ...COLD, parameters: { lruSize: 2 } });
  for (const slot of [0, 1, 2]) send(bench, slot);
  assert.deepEqual(bench.instance.dumpState?.(), { oldestFirst: ["e1", "e2"] });
  bench.instance.onEndpoint?.(1, "ejected");
  assert.deepEqual(bench.instance.dumpState?.(), { oldestFirst: ["e1", "e2"] });
  bench.instance.onEndpoint?.(1, "removed");
  assert.deepEqual(bench.instance.dumpState?.(), { oldestFirst: ["e2"] });
});

test("no-hit-lru-scorer: its order survives a reload, up to the size of the new instance", () => {
  const before = benchFor(noHitLruScorer, [{}, {}, {}], COLD);
  for (const slot of [2, 0, 1]) send(before, slot);
  const after = benchFor(noHitLruScorer, [{}, {}, {}], { ...COLD, parameters: { lruSize: 2 } });
  after.instance.loadState?.(before.instance.saveState?.());
  assert.deepEqual(after.instance.dumpState?.(), { oldestFirst: ["e0", "e1"] });
  after.instance.loadState?.({ order: ["e2"] });
  assert.deepEqual(after.instance.dumpState?.(), { oldestFirst: ["e0", "e1"] });
});

test("no-hit-lru-scorer: through a core, new prompts go round and known ones stay", () => {
  const cache = { blockBytes: 64, maxPrefixBlocksToMatch: 16, lruCapacityPerServer: 1000 };
  const { core } = poolWith({
    plugins: [
      "single-profile-handler",
      { plugin: "approx-prefix-cache-producer", parameters: cache },
      "no-hit-lru-scorer",
      "prefix-cache-scorer",
      "max-score-picker",
    ],
    profiles: { default: ["no-hit-lru-scorer", "prefix-cache-scorer", "max-score-picker"] },
    endpoints: [{}, {}, {}],
  });
  const send = (letter: string) => served(core, requestWith({ prompt: letter.repeat(200) }));
  const first = ["a", "b", "c"].map(send);
  assert.deepEqual(first, ["e0", "e1", "e2"]);
  assert.deepEqual(["c", "a", "b"].map(send), ["e2", "e0", "e1"]);
  assert.deepEqual(["d", "e", "f"].map(send), first);
});

for (const [path, value] of [
  ["lruSize", 0],
  ["lruSize", 1.5],
  ["prefixPluginName", 3],
] as const) {
  test(`no-hit-lru-scorer: ${path} ${value} is a fault`, () => {
    assert.equal(parameterFaults(noHitLruScorer, { [path]: value })[0]?.path, path);
  });
}

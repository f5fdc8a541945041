import assert from "node:assert/strict";
import test from "node:test";
import {
  benchFor,
  parameterFaults,
  scoresFor,
  scoresOn,
} from "../../../test/fixtures/plugin-bench.ts";
import { prefixMatch } from "../../plugin/request-attribute.ts";
import { prefixCacheScorer } from "./prefix-cache.ts";

const cases: readonly {
  name: string;
  blockCount: number;
  matched: readonly number[];
  want: readonly number[];
}[] = [
  {
    name: "matched blocks by blocks looked for",
    blockCount: 10,
    matched: [5, 2, 0],
    want: [0.5, 0.2, 0],
  },
  { name: "a whole match is 1", blockCount: 4, matched: [4, 4, 0], want: [1, 1, 0] },
  {
    name: "a prompt below one block matches nowhere",
    blockCount: 0,
    matched: [0, 0, 0],
    want: [0, 0, 0],
  },
  {
    name: "an endpoint that the match does not know",
    blockCount: 2,
    matched: [2],
    want: [1, 0, 0],
  },
];
for (const { name, blockCount, matched, want } of cases) {
  test(`prefix-cache-scorer: ${name}`, () => {
    const match = { blockCount, blockBytes: 64, matchedBySlot: Int32Array.from(matched) };
    assert.deepEqual(scoresFor(prefixCacheScorer, [{}, {}, {}], { match }), want);
  });
}

test("prefix-cache-scorer: without a producer every score is 0", () => {
  assert.deepEqual(scoresFor(prefixCacheScorer, [{}, {}]), [0, 0]);
});

/** Blocks of one token each. */
const TOKEN_BLOCK_BYTES = 4;
for (const [matched, blockCount, parameters, want] of [
  [5, 10, { matchLengthWeight: 0.5, matchLengthScaleTokens: 100 }, 0.25125],
  [50, 100, { matchLengthWeight: 0.5, matchLengthScaleTokens: 100 }, 0.375],
  [50, 100, { matchLengthWeight: 1, matchLengthScaleTokens: 10 }, 1],
  [0, 100, { matchLengthWeight: 1 }, 0],
  [4096, 8192, { matchLengthWeight: 1 }, 0.25],
] as const) {
  test(`prefix-cache-scorer: ${matched} of ${blockCount} with ${JSON.stringify(parameters)}`, () => {
    const matchedBySlot = Int32Array.from([matched]);
    const match = { blockCount, blockBytes: TOKEN_BLOCK_BYTES, matchedBySlot };
    const [score = Number.NaN] = scoresFor(prefixCacheScorer, [{}], { parameters, match });
    assert.ok(Math.abs(score - want) < 1e-12, `${score}`);
  });
}

test("prefix-cache-scorer: it reads the producer that it names", () => {
  const parameters = { prefixMatchInfoProducerName: "second" };
  const bench = benchFor(prefixCacheScorer, [{}], { parameters });
  for (const [producer, matched] of [
    ["first", 1],
    ["second", 3],
  ] as const) {
    const match = { blockCount: 4, blockBytes: 64, matchedBySlot: Int32Array.from([matched]) };
    bench.cycle.set(prefixMatch, match, producer);
  }
  assert.deepEqual(scoresOn(bench), [0.75]);
  assert.deepEqual(prefixCacheScorer.configure(parameters).references, [
    { path: "prefixMatchInfoProducerName", name: "second", role: "produce" },
  ]);
});

for (const parameters of [
  { matchLengthWeight: -0.1 },
  { matchLengthWeight: 1.1 },
  { matchLengthScaleTokens: 0 },
  { matchLengthScaleTokens: -1 },
  { hashBlockSize: 64 },
]) {
  test(`prefix-cache-scorer: ${JSON.stringify(parameters)} is a fault`, () => {
    assert.equal(
      parameterFaults(prefixCacheScorer, parameters)[0]?.path,
      Object.keys(parameters)[0],
    );
  });
}

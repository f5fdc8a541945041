import assert from "node:assert/strict";
import test from "node:test";
import { scoresFor } from "../../../test/fixtures/plugin-bench.ts";
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

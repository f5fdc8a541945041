import assert from "node:assert/strict";
import test from "node:test";
import { scoresFor } from "../../../test/fixtures/plugin-bench.ts";
import { queueScorer, runningRequestsSizeScorer } from "./queue.ts";

const unknown = undefined;
const cases: readonly {
  name: string;
  counts: readonly (number | undefined)[];
  want: readonly number[];
}[] = [
  { name: "nobody", counts: [], want: [] },
  { name: "a single candidate is the best", counts: [9], want: [1] },
  { name: "the lowest is 1, the highest 0", counts: [10, 5, 0], want: [0, 0.5, 1] },
  { name: "equal counts are neutral", counts: [5, 5], want: [1, 1] },
  { name: "nothing anywhere is neutral", counts: [0, 0], want: [1, 1] },
  {
    name: "a never scraped one is half, and out of the range",
    counts: [2, 6, 10, unknown],
    want: [1, 0.5, 0, 0.5],
  },
  { name: "nobody was scraped", counts: [unknown, unknown], want: [0.5, 0.5] },
  { name: "one was scraped", counts: [unknown, 3], want: [0.5, 1] },
  { name: "huge counts", counts: [0, 1e15], want: [1, 0] },
];
for (const [scorer, figure] of [
  [queueScorer, "queue"],
  [runningRequestsSizeScorer, "running"],
] as const) {
  for (const { name, counts, want } of cases) {
    test(`${scorer.type}: ${name}`, () => {
      const endpoints = counts.map((count) => (count === undefined ? {} : { [figure]: count }));
      assert.deepEqual(scoresFor(scorer, endpoints), want);
    });
  }
}

import assert from "node:assert/strict";
import test from "node:test";
import { scoresFor } from "../../../test/fixtures/plugin-bench.ts";
import { queueScorer } from "./queue.ts";

const unknown = undefined;
const cases: readonly {
  name: string;
  queues: readonly (number | undefined)[];
  want: readonly number[];
}[] = [
  { name: "nobody", queues: [], want: [] },
  { name: "a single candidate is the best", queues: [9], want: [1] },
  { name: "the shortest is 1, the longest 0", queues: [10, 5, 0], want: [0, 0.5, 1] },
  { name: "equal queues are neutral", queues: [5, 5], want: [1, 1] },
  { name: "empty queues are neutral", queues: [0, 0], want: [1, 1] },
  {
    name: "a never scraped one is half, and out of the range",
    queues: [2, 6, 10, unknown],
    want: [1, 0.5, 0, 0.5],
  },
  { name: "nobody was scraped", queues: [unknown, unknown], want: [0.5, 0.5] },
  { name: "one was scraped", queues: [unknown, 3], want: [0.5, 1] },
  { name: "huge queues", queues: [0, 1e15], want: [1, 0] },
];
for (const { name, queues, want } of cases) {
  test(`queue-scorer: ${name}`, () => {
    const endpoints = queues.map((queue) => (queue === undefined ? {} : { queue }));
    assert.deepEqual(scoresFor(queueScorer, endpoints), want);
  });
}

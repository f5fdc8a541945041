import assert from "node:assert/strict";
import test from "node:test";
import { parameterFaults, scoresFor } from "../../../test/fixtures/plugin-bench.ts";
import { loadAwareScorer } from "./load-aware.ts";

for (const [name, queues, threshold, want] of [
  ["empty, short, over the threshold", [2, 0, 15], 10, [0.4, 0.5, 0]],
  ["at the threshold", [10], 10, [0]],
  ["the default threshold is 128", [64, 128], undefined, [0.25, 0]],
  ["a single one is not scaled", [5], 10, [0.25]],
  ["equal queues are equal", [5, 5], 10, [0.25, 0.25]],
  ["nobody", [], 10, []],
] as const) {
  test(`load-aware-scorer: ${name}`, () => {
    const parameters = threshold === undefined ? undefined : { threshold };
    const endpoints = queues.map((queue) => ({ queue }));
    assert.deepEqual(scoresFor(loadAwareScorer, endpoints, { parameters }), want);
  });
}

test("load-aware-scorer, trap 6: a never scraped endpoint is below an idle one and above a full one", () => {
  const [idle = 0, unknown = 0, full = 0] = scoresFor(loadAwareScorer, [
    { queue: 0 },
    {},
    { queue: 128 },
  ]);
  assert.ok(idle > unknown && unknown > full, `${idle} ${unknown} ${full}`);
});

for (const threshold of [0, -1, 1.5, "10"]) {
  test(`load-aware-scorer: threshold ${JSON.stringify(threshold)} is a fault`, () => {
    assert.equal(parameterFaults(loadAwareScorer, { threshold })[0]?.path, "threshold");
  });
}

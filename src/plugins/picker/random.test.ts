import assert from "node:assert/strict";
import test from "node:test";
import { picksOf } from "../../../test/fixtures/plugin-bench.ts";
import { randomPicker } from "./random.ts";

test("random-picker: every endpoint is equally likely first, whatever its score", () => {
  const counts = [0, 0, 0, 0];
  for (const { order } of picksOf(randomPicker, [100, 1, 0, 50], { draws: 8000 })) {
    assert.deepEqual([...order].sort(), [0, 1, 2, 3]);
    const first = order[0] as number;
    counts[first] = (counts[first] as number) + 1;
  }
  const chiSquare = counts.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0);
  // 99.9 % of uniform samples stay below 16.3 with three degrees of freedom.
  assert.ok(chiSquare < 16.3, `chi-square ${chiSquare}, counts ${counts.join(" ")}`);
});

for (const [maxNumOfEndpoints, want] of [
  [undefined, 1],
  [0, 1],
  [-3, 1],
  [2, 2],
  [9, 3],
] as const) {
  test(`random-picker: maxNumOfEndpoints ${maxNumOfEndpoints} of three advertises ${want}`, () => {
    const parameters = maxNumOfEndpoints === undefined ? undefined : { maxNumOfEndpoints };
    assert.equal(picksOf(randomPicker, [1, 2, 3], { parameters })[0]?.advertised, want);
  });
}

test("random-picker: one candidate is the choice", () => {
  assert.deepEqual(picksOf(randomPicker, [0]), [{ order: [0], advertised: 1 }]);
});

test("random-picker: another seed orders otherwise", () => {
  const totals = Array(12).fill(0);
  const [first] = picksOf(randomPicker, totals, { seed: 1 });
  const [second] = picksOf(randomPicker, totals, { seed: 2 });
  assert.notDeepEqual(first, second);
});

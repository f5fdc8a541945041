import assert from "node:assert/strict";
import test from "node:test";
import { picksOf } from "../../../test/fixtures/plugin-bench.ts";
import { maxScorePicker } from "./max-score.ts";

function pick(totals: readonly number[], maxNumOfEndpoints?: number) {
  const parameters = maxNumOfEndpoints === undefined ? undefined : { maxNumOfEndpoints };
  return picksOf(maxScorePicker, totals, { parameters })[0];
}

const ordered: readonly {
  totals: readonly number[];
  max?: number;
  order: readonly number[];
  advertised: number;
}[] = [
  { totals: [10, 25, 15], order: [1, 2, 0], advertised: 1 },
  { totals: [20, 25, 30], max: 2, order: [2, 1, 0], advertised: 2 },
  { totals: [20, 25, 30], max: 4, order: [2, 1, 0], advertised: 3 },
  { totals: [7], max: 3, order: [0], advertised: 1 },
  { totals: [-1, -2, -0.5], order: [2, 0, 1], advertised: 1 },
  { totals: [1, 1 + Number.EPSILON], order: [1, 0], advertised: 1 },
];
for (const { totals, max, order, advertised } of ordered) {
  test(`max-score-picker: ${totals.join(", ")} with N ${max ?? "unset"}`, () => {
    assert.deepEqual(pick(totals, max), { order, advertised });
  });
}

test("max-score-picker: the best two of a tie come first, in either order", () => {
  const seen = new Set<string>();
  for (const { order, advertised } of picksOf(maxScorePicker, [50, 50, 30], {
    parameters: { maxNumOfEndpoints: 2 },
    draws: 50,
  })) {
    assert.equal(advertised, 2);
    seen.add(order.join());
  }
  assert.deepEqual([...seen].sort(), ["0,1,2", "1,0,2"]);
});

test("max-score-picker: ties are broken uniformly over consecutive decisions", () => {
  const counts = [0, 0, 0, 0, 0];
  for (const { order } of picksOf(maxScorePicker, [1, 3, 3, 3, 3], { draws: 8000 })) {
    const first = order[0] as number;
    counts[first] = (counts[first] as number) + 1;
  }
  assert.equal(counts[0], 0);
  const chiSquare = counts.slice(1).reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0);
  // 99.9 % of uniform samples stay below 16.3 with three degrees of freedom.
  assert.ok(chiSquare < 16.3, `chi-square ${chiSquare}, counts ${counts.join(" ")}`);
});

import assert from "node:assert/strict";
import test from "node:test";
import { picksOf } from "../../../test/fixtures/plugin-bench.ts";
import { weightedRandomPicker } from "./weighted-random.ts";

const DRAWS = 20_000;

function firstShares(totals: readonly number[], seed = 7): readonly number[] {
  const counts = totals.map(() => 0);
  for (const { order } of picksOf(weightedRandomPicker, totals, { draws: DRAWS, seed })) {
    const first = order[0] as number;
    counts[first] = (counts[first] as number) + 1;
  }
  return counts.map((count) => count / DRAWS);
}

for (const totals of [
  [10, 90],
  [100, 100, 100],
  [30, 0],
  [100, 90, 50, 30, 20],
  [0, 0, 0, 0],
  [1e-300, 3e-300],
]) {
  test(`weighted-random-picker: ${totals.join(":")} is drawn in proportion, within 5 %`, () => {
    const sum = totals.reduce((total, score) => total + score, 0);
    const shares = firstShares(totals);
    for (const [index, score] of totals.entries()) {
      const want = sum === 0 ? 1 / totals.length : score / sum;
      const share = shares[index] as number;
      assert.ok(Math.abs(share - want) <= 0.05 * want, `${index}: ${share} for ${want}`);
    }
  });
}

test("weighted-random-picker: every candidate is ordered, those without score last", () => {
  for (const { order } of picksOf(weightedRandomPicker, [0, 5, -1, 7], { draws: 200 })) {
    assert.deepEqual(order.slice(0, 2).toSorted(), [1, 3]);
    assert.deepEqual(order.slice(2).toSorted(), [0, 2]);
  }
});

test("weighted-random-picker: the second place is drawn in proportion among the rest", () => {
  let count = 0;
  let behindFirst = 0;
  for (const { order } of picksOf(weightedRandomPicker, [50, 30, 10], { draws: DRAWS })) {
    if (order[0] !== 0) continue;
    count++;
    if (order[1] === 1) behindFirst++;
  }
  assert.ok(Math.abs(behindFirst / count - 0.75) <= 0.05 * 0.75, `${behindFirst} of ${count}`);
});

test("weighted-random-picker: one candidate is the choice, none is none", () => {
  assert.deepEqual(picksOf(weightedRandomPicker, [3]), [{ order: [0], advertised: 1 }]);
  assert.deepEqual(picksOf(weightedRandomPicker, [])[0]?.order, []);
});

test("weighted-random-picker: maxNumOfEndpoints limits what is advertised", () => {
  for (const [maxNumOfEndpoints, want] of [
    [-1, 1],
    [2, 2],
    [9, 3],
  ] as const) {
    const [pick] = picksOf(weightedRandomPicker, [1, 2, 3], { parameters: { maxNumOfEndpoints } });
    assert.equal(pick?.advertised, want);
  }
});

test("weighted-random-picker, trap 22: decisions differ, and so do seeds", () => {
  const totals = Array(12).fill(1);
  const [first, second] = picksOf(weightedRandomPicker, totals, { draws: 2, seed: 1 });
  const [other] = picksOf(weightedRandomPicker, totals, { seed: 2 });
  assert.notDeepEqual(first, second);
  assert.notDeepEqual(first, other);
  assert.deepEqual(picksOf(weightedRandomPicker, totals, { seed: 1 })[0], first);
});

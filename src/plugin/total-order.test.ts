import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { SeededRng } from "../core/rng.ts";
import { TotalOrder } from "./total-order.ts";

function ordered(totals: readonly number[], seed: number, advertised = 1): readonly number[] {
  const order = new Int32Array(totals.length).fill(-1);
  const rng = new SeededRng(seed);
  new TotalOrder().write(order, Float64Array.from(totals), totals.length, { advertised, rng });
  return [...order];
}

const few = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 32 });
const many = fc.array(
  fc.oneof(
    fc.integer({ min: 0, max: 9 }),
    fc.double({ noNaN: true }).map((total) => total + 0),
  ),
  {
    minLength: 33,
    maxLength: 400,
  },
);

test("total-order: the ranked ones are the best, each once, highest first", () => {
  const setting = fc.record({
    totals: fc.oneof(few, many),
    seed: fc.nat(),
    advertised: fc.integer({ min: 1, max: 60 }),
  });
  fc.assert(
    fc.property(setting, ({ totals, seed, advertised }) => {
      const order = ordered(totals, seed, advertised);
      const ranked = Math.min(totals.length, Math.max(32, advertised));
      const best = totals.toSorted((left, right) => right - left).slice(0, ranked);
      const first = order.slice(0, ranked);
      assert.deepEqual(
        first.map((index) => totals[index]),
        best,
      );
      assert.equal(new Set(first).size, ranked);
    }),
  );
});

test("total-order: of many equal totals each is first and last ranked equally often", () => {
  const count = 200;
  const draws = 40_000;
  const firsts = new Float64Array(count);
  const lasts = new Float64Array(count);
  for (let seed = 0; seed < draws; seed++) {
    const order = ordered(new Array<number>(count).fill(1), seed);
    (firsts[order[0] as number] as number)++;
    (lasts[order[31] as number] as number)++;
  }
  for (const counts of [firsts, lasts]) {
    const expected = draws / count;
    const chiSquare = counts.reduce((sum, seen) => sum + (seen - expected) ** 2 / expected, 0);
    // 99.9 % of uniform samples stay below 266 with 199 degrees of freedom.
    assert.ok(chiSquare < 266, `chi-square ${chiSquare}`);
  }
});

test("total-order: which of two equal totals is before the other is a fair coin, whatever their places", () => {
  const totals = Array.from({ length: 300 }, (_, index) => (index % 97 === 0 ? 2 : 1));
  let firstBefore = 0;
  const draws = 4000;
  for (let seed = 0; seed < draws; seed++) {
    const order = ordered(totals, seed);
    if (order.indexOf(0) < order.indexOf(291)) firstBefore++;
  }
  // Four standard deviations.
  assert.ok(Math.abs(firstBefore - draws / 2) < 2 * Math.sqrt(draws), `${firstBefore}`);
});

import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { SeededRng } from "../core/rng.ts";
import { shuffledIndexes } from "./shuffle.ts";

test("shuffle: writes each index once and nothing beyond them", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 0, max: 50 }), (seed, count) => {
      const order = new Int32Array(count + 1).fill(-9);
      shuffledIndexes(order, count, new SeededRng(seed));
      assert.equal(order[count], -9);
      assert.deepEqual(
        [...order.subarray(0, count)].sort((a, b) => a - b),
        [...Array(count).keys()],
      );
    }),
  );
});

test("shuffle: all six orders of three are equally likely", () => {
  const counts = new Map<string, number>();
  const order = new Int32Array(3);
  const rng = new SeededRng(11);
  for (let i = 0; i < 12_000; i++) {
    shuffledIndexes(order, 3, rng);
    counts.set(order.join(), (counts.get(order.join()) ?? 0) + 1);
  }
  assert.equal(counts.size, 6);
  const chiSquare = [...counts.values()].reduce((sum, n) => sum + (n - 2000) ** 2 / 2000, 0);
  // 99.9 % of uniform samples stay below 20.5 with five degrees of freedom.
  assert.ok(chiSquare < 20.5, `chi-square ${chiSquare}`);
});

import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { SeededRng } from "./rng.ts";

const seeds = fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });

function draws(rng: SeededRng, count: number): readonly number[] {
  return Array.from({ length: count }, () => rng.next());
}

test("rng: a reseeded generator repeats a fresh one's stream", () => {
  fc.assert(
    fc.property(seeds, seeds, (seed, stream) => {
      const rng = new SeededRng(7, 7);
      rng.next();
      rng.reseed(seed, stream);
      assert.deepEqual(draws(rng, 5), draws(new SeededRng(seed, stream), 5));
    }),
  );
});

const differing: readonly { name: string; left: [number, number]; right: [number, number] }[] = [
  { name: "seeds that differ in one bit", left: [1, 1], right: [2, 1] },
  { name: "streams that differ in one bit", left: [1, 1], right: [1, 2] },
  { name: "seeds that differ above 32 bits", left: [1, 1], right: [1 + 2 ** 32, 1] },
  { name: "streams that differ above 32 bits", left: [1, 1], right: [1, 1 + 2 ** 32] },
  { name: "seed and stream swapped", left: [3, 5], right: [5, 3] },
];
for (const { name, left, right } of differing) {
  test(`rng: ${name} give streams without a common value`, () => {
    const seen = new Set(draws(new SeededRng(...left), 100));
    assert.deepEqual(
      draws(new SeededRng(...right), 100).filter((value) => seen.has(value)),
      [],
    );
  });
}

test("rng: draws stay in their range", () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (seed, bound) => {
      const rng = new SeededRng(seed);
      const share = rng.next();
      assert.ok(share >= 0 && share < 1);
      const below = rng.below(bound);
      assert.ok(Number.isInteger(below) && below >= 0 && below < bound);
    }),
  );
});

test("rng: a bound of one leaves no choice", () => {
  const rng = new SeededRng(3);
  for (let i = 0; i < 20; i++) assert.equal(rng.below(1), 0);
});

test("rng: the first draw of consecutive streams is uniform", () => {
  // Each decision takes a stream of its own, so the streams' first draws are what users see.
  const counts = new Array<number>(10).fill(0);
  const rng = new SeededRng(42);
  for (let stream = 1; stream <= 20_000; stream++) {
    rng.reseed(42, stream);
    const cell = rng.below(10);
    counts[cell] = (counts[cell] ?? 0) + 1;
  }
  const chiSquare = counts.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0);
  // 99.9 % of uniform samples stay below 27.9 with nine degrees of freedom.
  assert.ok(chiSquare < 27.9, `chi-square ${chiSquare}, counts ${counts.join(" ")}`);
});

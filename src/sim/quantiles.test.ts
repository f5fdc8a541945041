import assert from "node:assert/strict";
import test from "node:test";
import { SeededRng } from "../core/rng.ts";
import { Quantiles } from "./quantiles.ts";

function filled(values: Iterable<number>): Quantiles {
  const quantiles = new Quantiles();
  for (const value of values) quantiles.add(value);
  return quantiles;
}

test("quantiles: nothing has no summary", () => {
  assert.equal(new Quantiles().summary(), undefined);
});

test("quantiles: a single value is every quantile", () => {
  assert.deepEqual(filled([7]).summary(), { mean: 7, p50: 7, p90: 7, p95: 7, p99: 7 });
});

test("quantiles: few values are exact, in any order", () => {
  const values = Array.from({ length: 100 }, (_, index) => ((index * 37) % 100) + 1);
  assert.deepEqual(filled(values).summary(), { mean: 50.5, p50: 50, p90: 90, p95: 95, p99: 99 });
});

test("quantiles: beyond the exact ones the error stays within half a percent", () => {
  const rng = new SeededRng(5);
  const values = Array.from({ length: 200_000 }, () => Math.exp(12 * rng.next() - 3));
  const sorted = Float64Array.from(values).sort();
  const summary = filled(values).summary();
  for (const [name, share] of [
    ["p50", 0.5],
    ["p90", 0.9],
    ["p95", 0.95],
    ["p99", 0.99],
  ] as const) {
    const exact = sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
    assert.ok(Math.abs((summary?.[name] ?? 0) / exact - 1) <= 0.0051, name);
  }
});

test("quantiles: zeros and huge values keep their places in the sketch", () => {
  const values = Array.from({ length: 100_000 }, (_, index) => (index % 2 === 0 ? 0 : 1e15));
  const summary = filled(values).summary();
  assert.equal(summary?.p50, 0);
  assert.ok((summary?.p99 ?? 0) > 1e11);
  assert.equal(summary?.mean, 5e14);
});

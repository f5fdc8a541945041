import assert from "node:assert/strict";
import test from "node:test";
import { higherIsBetter, knownRange, lowerIsBetter } from "./score-scale.ts";

const { NaN: unknown, MAX_VALUE } = Number;

const cases: readonly { name: string; values: readonly number[]; want: readonly number[] }[] = [
  { name: "nobody", values: [], want: [] },
  { name: "one", values: [7], want: [1] },
  { name: "one unknown", values: [unknown], want: [0.5] },
  { name: "spread values", values: [10, 5, 0], want: [0, 0.5, 1] },
  { name: "equal values", values: [5, 5], want: [1, 1] },
  { name: "equal values with an unknown", values: [5, unknown, 5], want: [1, 0.5, 1] },
  { name: "unknown ones outside the range", values: [unknown, 2, 6, 10], want: [0.5, 1, 0.5, 0] },
  { name: "the largest doubles", values: [0, MAX_VALUE, MAX_VALUE / 2], want: [1, 0, 0.5] },
  { name: "values below zero", values: [-4, 0, 4], want: [1, 0.5, 0] },
];
for (const { name, values, want } of cases) {
  test(`score-scale: ${name}`, () => {
    const column = Float64Array.from(values);
    const candidates = { slots: Int32Array.from(values.keys()), count: values.length };
    const range = knownRange(column, candidates);
    assert.deepEqual(
      values.map((value) => lowerIsBetter(value, range)),
      want,
    );
  });
}

test("score-scale: only candidates make the range", () => {
  const column = Float64Array.from([100, 3, -100, 5]);
  const range = knownRange(column, { slots: Int32Array.from([3, 1, 0]), count: 2 });
  assert.deepEqual(range, { lowest: 3, highest: 5 });
});

for (const [value, want] of [
  [2, 0],
  [4, 0.25],
  [10, 1],
  [Number.NaN, 0.5],
] as const) {
  test(`score-scale: of 2 to 10, where higher is better, ${value} scores ${want}`, () => {
    assert.equal(higherIsBetter(value, { lowest: 2, highest: 10 }), want);
  });
}

test("score-scale: all equal is 1 where higher is better, too", () => {
  assert.equal(higherIsBetter(3, { lowest: 3, highest: 3 }), 1);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { estimate, larger } from "./estimate.ts";

const of = (...values: readonly number[]) => {
  const found = estimate(values);
  assert.ok(found !== undefined);
  return found;
};

test("estimate: nothing has no estimate", () => {
  assert.equal(estimate([]), undefined);
  assert.deepEqual(of(1, 2, 6), { mean: 3, least: 1, most: 6 });
});

for (const { name, left, right, want } of [
  { name: "ranges apart", left: of(1, 2), right: of(3, 4), want: "right" },
  { name: "ranges that touch", left: of(1, 3), right: of(3, 4), want: "equal" },
  { name: "a difference within the tolerance", left: of(100), right: of(101), want: "equal" },
  { name: "a difference beyond it", left: of(100), right: of(90), want: "left" },
  { name: "nothing against something", left: of(0), right: of(0.1), want: "right" },
]) {
  test(`estimate: ${name}`, () => assert.equal(larger(left, right, 0.02), want));
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { betterRanges, describeRanges } from "./crossover.ts";

const at = (...by: readonly number[]) =>
  by.map((value, index) => ({ x: 100 * 2 ** index, by: value }));

for (const { name, by, want } of [
  { name: "never better", by: [-1, -1, 0], want: "nowhere" },
  { name: "always better", by: [1, 2, 3], want: "everywhere" },
  // Half way between 200 and 400 on a logarithmic axis.
  { name: "better from a place on", by: [-1, -1, 1, 1], want: "from 280 tokens" },
  { name: "nearer to where the difference is smaller", by: [-3, 1], want: "from 170 tokens" },
  { name: "better up to a place", by: [1, -1], want: "up to 140 tokens" },
  { name: "better in between", by: [-1, 1, -1], want: "from 140 to 280 tokens" },
  {
    name: "a tie counts as not better, and the line lies half way",
    by: [0, 5],
    want: "from 140 tokens",
  },
  { name: "one place alone", by: [1], want: "everywhere" },
  { name: "no place at all", by: [], want: "nowhere" },
]) {
  test(`crossover: ${name}`, () => {
    assert.equal(describeRanges(betterRanges(at(...by)), "tokens"), want);
  });
}

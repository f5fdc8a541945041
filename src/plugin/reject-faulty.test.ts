import assert from "node:assert/strict";
import test from "node:test";
import { rejectFaulty } from "./reject-faulty.ts";

/** Indexes that are rejected when the slots' faults are as given; slots run backwards. */
function rejected(faults: readonly (string | undefined)[], fallbackOnEmpty: boolean) {
  const slots = Int32Array.from(faults.keys()).reverse();
  const reasons: (readonly [number, string])[] = [];
  rejectFaulty(
    // One more slot than candidates: what an earlier filter left behind the end.
    { slots: Int32Array.of(...slots, 99), count: faults.length },
    { faultOf: (slot) => faults[slot], fallbackOnEmpty },
    (index, reason) => void reasons.push([index, reason]),
  );
  return reasons;
}

for (const [name, faults, fallback, want] of [
  ["nobody is faulty", [undefined, undefined], true, []],
  [
    "the faulty ones go",
    ["old", undefined, "full"],
    true,
    [
      [0, "full"],
      [2, "old"],
    ],
  ],
  [
    "all go",
    ["old", "full"],
    false,
    [
      [0, "full"],
      [1, "old"],
    ],
  ],
  ["all would go, with a fallback", ["old", "full"], true, []],
  ["there is nobody", [], true, []],
] as const) {
  test(`reject-faulty: ${name}`, () => {
    assert.deepEqual(rejected(faults, fallback), want);
  });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { quantity } from "./quantity.ts";

for (const [text, want] of [
  ["1", 1],
  ["500m", 0.5],
  ["8Gi", 8 * 2 ** 30],
  ["1.5G", 1.5e9],
  ["0", 0],
  [undefined, undefined],
  ["", undefined],
  ["8gb", undefined],
  ["-1", undefined],
  ["Gi", undefined],
] as const) {
  test(`quantity: ${text} is ${want}`, () => assert.equal(quantity(text), want));
}

import assert from "node:assert/strict";
import test from "node:test";
import { ConfigError } from "../core/config-error.ts";
import { advertisedCount, pickerParams } from "./picker-params.ts";

const counts: readonly [max: number, count: number, want: number][] = [
  [1, 3, 1],
  [2, 3, 2],
  [4, 3, 3],
  [0, 3, 1],
  [-5, 3, 1],
];
for (const [max, count, want] of counts) {
  test(`picker-params: maxNumOfEndpoints ${max} of ${count} advertises ${want}`, () => {
    assert.equal(advertisedCount(max, count), want);
  });
}

test("picker-params: one endpoint unless set", () => {
  assert.deepEqual(pickerParams(undefined), { maxNumOfEndpoints: 1 });
  assert.deepEqual(pickerParams({ maxNumOfEndpoints: 3 }), { maxNumOfEndpoints: 3 });
});

for (const [raw, path] of [
  [{ maxNumOfEndpoints: 1.5 }, "maxNumOfEndpoints"],
  [{ maxNumOfEndpoints: "1" }, "maxNumOfEndpoints"],
  [{ maxNumberOfEndpoints: 1 }, "maxNumberOfEndpoints"],
] as const) {
  test(`picker-params: ${JSON.stringify(raw)} is a fault at ${path}`, () => {
    assert.throws(
      () => pickerParams(raw),
      (error) => error instanceof ConfigError && error.faults[0]?.path === path,
    );
  });
}

import assert from "node:assert/strict";
import test from "node:test";
import { headerName } from "./header-name.ts";

for (const [given, want] of [
  ["X-Session-Token", "x-session-token"],
  [" x-tier ", "x-tier"],
  ["a1!#$%&'*+.^_`|~", "a1!#$%&'*+.^_`|~"],
] as const) {
  test(`header-name: ${JSON.stringify(given)} is ${want}`, () => {
    assert.equal(headerName.parse(given), want);
  });
}

for (const given of ["", " ", "x y", "x:y", "x\n", "ü", "x(y)", 3]) {
  const isTrimmed = given === "x\n";
  test(`header-name: ${JSON.stringify(given)} is ${isTrimmed ? "trimmed" : "refused"}`, () => {
    assert.equal(headerName.safeParse(given).success, isTrimmed);
  });
}

import assert from "node:assert/strict";
import test from "node:test";
import type { ProfileOutcome } from "./cycle.ts";
import { rejectedOutcome } from "./profile-rejection.ts";

const cases: readonly [string, ProfileOutcome | undefined, string][] = [
  ["a fault", { kind: "failed", plugin: "p" }, "plugin-failed"],
  ["nobody left", { kind: "empty" }, "filtered-out"],
  ["a profile that never ran", undefined, "filtered-out"],
];
for (const [name, outcome, reason] of cases) {
  test(`profile-rejection: ${name} is ${reason}`, () => {
    const rejection = rejectedOutcome("decode", outcome);
    assert.equal(rejection.reason, reason);
    assert.match(rejection.message, /decode/);
  });
}

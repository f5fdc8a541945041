import assert from "node:assert/strict";
import test from "node:test";
import { benchFor, picked, profilesRun } from "../../../test/fixtures/plugin-bench.ts";
import { profileName } from "../../core/brand.ts";
import type { ProfileOutcome } from "../../plugin/cycle.ts";
import { singleProfileHandler } from "./single.ts";

test("single-profile-handler: runs its profile once and takes its pick", () => {
  const bench = benchFor(singleProfileHandler, [{}], { profiles: ["default"] });
  assert.deepEqual(profilesRun(bench, { default: picked(0) }), ["default"]);
  assert.deepEqual(bench.instance.handler?.result(bench.cycle), {
    kind: "scheduled",
    primary: profileName("default"),
    prefill: undefined,
  });
});

const failures: readonly [ProfileOutcome, string][] = [
  [{ kind: "empty" }, "filtered-out"],
  [{ kind: "failed", plugin: "p" }, "plugin-failed"],
];
for (const [outcome, reason] of failures) {
  test(`single-profile-handler: a profile that ends ${outcome.kind} is ${reason}`, () => {
    const bench = benchFor(singleProfileHandler, [{}]);
    profilesRun(bench, { default: outcome });
    const result = bench.instance.handler?.result(bench.cycle);
    assert.equal(result?.kind === "rejected" && result.rejection.reason, reason);
  });
}

for (const [profiles, isFault] of [
  [["default"], false],
  [["any-name"], false],
  [[], true],
  [["prefill", "decode"], true],
] as const) {
  test(`single-profile-handler: ${profiles.length} profiles are ${isFault ? "a fault" : "right"}`, () => {
    const fault = singleProfileHandler.configure(undefined).profilesFault(profiles);
    assert.equal(fault !== undefined, isFault);
  });
}

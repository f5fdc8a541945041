import assert from "node:assert/strict";
import test from "node:test";
import { benchFor, picked, profilesRun } from "../../../test/fixtures/plugin-bench.ts";
import { type RequestTraits, requestWith } from "../../../test/fixtures/request-with.ts";
import { ConfigError } from "../../core/config-error.ts";
import type { ProfileOutcome } from "../../plugin/cycle.ts";
import { headerProfileHandler } from "./header-profile.ts";

const PROFILES = ["encode", "prefill", "decode"];

const cases: readonly {
  name: string;
  headers?: RequestTraits["headers"];
  parameters?: object;
  profiles?: readonly string[];
  outcome?: ProfileOutcome;
  run: readonly string[];
  want: string;
}[] = [
  {
    name: "the named profile",
    headers: { "epp-profile": "prefill" },
    run: ["prefill"],
    want: "prefill",
  },
  { name: "without header the default", run: ["decode"], want: "decode" },
  {
    name: "a blank header is none",
    headers: { "epp-profile": "  " },
    run: ["decode"],
    want: "decode",
  },
  {
    name: "spaces around the name do not count",
    headers: { "epp-profile": " encode " },
    run: ["encode"],
    want: "encode",
  },
  {
    name: "names are taken to the letter",
    headers: { "epp-profile": "Prefill" },
    run: [],
    want: "filtered-out",
  },
  {
    name: "an unknown name is refused",
    headers: { "epp-profile": "train" },
    run: [],
    want: "filtered-out",
  },
  {
    name: "a single profile runs whatever is asked",
    headers: { "epp-profile": "train" },
    profiles: ["only"],
    run: ["only"],
    want: "only",
  },
  {
    name: "header and default of the parameters",
    parameters: { headerName: "X-Stage", defaultProfile: "encode" },
    headers: { "epp-profile": "prefill" },
    run: ["encode"],
    want: "encode",
  },
  {
    name: "the header's name in any case",
    parameters: { headerName: "X-Stage" },
    headers: { "x-stage": "encode" },
    run: ["encode"],
    want: "encode",
  },
  {
    name: "a default that is not configured is refused",
    parameters: { defaultProfile: "absent" },
    run: [],
    want: "filtered-out",
  },
  {
    name: "a profile that found nobody is refused",
    outcome: { kind: "empty" },
    run: ["decode"],
    want: "filtered-out",
  },
  {
    name: "a profile that failed is a fault",
    outcome: { kind: "failed", plugin: "p" },
    run: ["decode"],
    want: "plugin-failed",
  },
];
for (const { name, headers = {}, parameters, profiles = PROFILES, outcome, run, want } of cases) {
  test(`header-profile-handler: ${name}`, () => {
    const bench = benchFor(headerProfileHandler, [{}], {
      parameters,
      profiles,
      request: requestWith({ headers }),
    });
    const outcomes = Object.fromEntries(profiles.map((profile) => [profile, outcome ?? picked(0)]));
    assert.deepEqual(profilesRun(bench, outcomes), run);
    const result = bench.instance.handler?.result(bench.cycle);
    assert.ok(result !== undefined);
    assert.equal(result.kind === "rejected" ? result.rejection.reason : result.primary, want);
  });
}

test("header-profile-handler: a refusal repeats nothing of the client's header", () => {
  const request = requestWith({ headers: { "epp-profile": "secret" } });
  const bench = benchFor(headerProfileHandler, [{}], { profiles: PROFILES, request });
  const result = bench.instance.handler?.result(bench.cycle);
  assert.ok(result?.kind === "rejected");
  assert.doesNotMatch(result.rejection.message, /secret/);
  assert.match(result.rejection.message, /epp-profile/);
});

for (const path of ["headerName", "defaultProfile"]) {
  test(`header-profile-handler: an empty ${path} is a fault`, () => {
    assert.throws(
      () => headerProfileHandler.configure({ [path]: "" }),
      (error) => error instanceof ConfigError && error.faults[0]?.path === path,
    );
  });
}

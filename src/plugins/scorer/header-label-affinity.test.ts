import assert from "node:assert/strict";
import test from "node:test";
import { parameterFaults, scoresFor } from "../../../test/fixtures/plugin-bench.ts";
import { requestWith } from "../../../test/fixtures/request-with.ts";
import { headerLabelAffinityScorer } from "./header-label-affinity.ts";

const parameters = { headerName: "X-Tier", labelKey: "tier" };
const POOL = [
  { labels: { tier: "gold" } },
  { labels: { tier: "iron" } },
  { labels: { tier: "" } },
  {},
];

for (const [name, header, want] of [
  ["the label that the header names", "gold", [1, 0, 0, 0]],
  ["values are compared exactly", "Gold", [0, 0, 0, 0]],
  ["no header is no label", undefined, [0, 0, 0, 0]],
  ["an empty header is an empty label, not a missing one", "", [0, 0, 1, 0]],
] as const) {
  test(`header-label-affinity-scorer: ${name}`, () => {
    const request = requestWith({ headers: { "x-tier": header } });
    assert.deepEqual(scoresFor(headerLabelAffinityScorer, POOL, { request, parameters }), want);
    assert.deepEqual(scoresFor(headerLabelAffinityScorer, [], { request, parameters }), []);
  });
}

for (const [path, broken] of [
  ["headerName", { labelKey: "tier" }],
  ["headerName", { ...parameters, headerName: "" }],
  ["headerName", { ...parameters, headerName: "x tier" }],
  ["labelKey", { headerName: "x-tier" }],
  ["labelKey", { ...parameters, labelKey: "" }],
] as const) {
  test(`header-label-affinity-scorer: ${JSON.stringify(broken)} is a fault at ${path}`, () => {
    assert.equal(parameterFaults(headerLabelAffinityScorer, broken)[0]?.path, path);
  });
}

import assert from "node:assert/strict";
import test from "node:test";
import { parameterFaults, rejectionsOf } from "../../../test/fixtures/plugin-bench.ts";
import { byLabelFilter } from "./by-label.ts";

const POOL = [
  { labels: { tier: "gold" } },
  { labels: { tier: "iron" } },
  { labels: { tier: "" } },
  {},
];

const cases: readonly {
  name: string;
  parameters: unknown;
  dropped: readonly (readonly [number, string])[];
}[] = [
  {
    name: "one valid value",
    parameters: { label: "tier", validValues: ["gold"] },
    dropped: [
      [1, "tier is iron"],
      [2, "tier is "],
      [3, "no label tier"],
    ],
  },
  {
    name: "no label is allowed",
    parameters: { label: "tier", validValues: ["iron", ""], allowsNoLabel: true },
    dropped: [[0, "tier is gold"]],
  },
  {
    name: "only no label is allowed",
    parameters: { label: "zone", allowsNoLabel: true },
    dropped: [],
  },
];
for (const { name, parameters, dropped } of cases) {
  test(`by-label: ${name}`, () => {
    assert.deepEqual([...rejectionsOf(byLabelFilter, POOL, { parameters })], dropped);
    assert.equal(rejectionsOf(byLabelFilter, [], { parameters }).size, 0);
  });
}

for (const [name, parameters, path] of [
  ["no label", { validValues: ["gold"] }, "label"],
  ["an empty label", { label: "", validValues: ["gold"] }, "label"],
  ["nothing that could pass", { label: "tier", validValues: [] }, "validValues"],
  ["an unknown field", { label: "tier", values: ["gold"], validValues: ["a"] }, "values"],
] as const) {
  test(`by-label: ${name} is a fault at ${path}`, () => {
    assert.deepEqual(
      parameterFaults(byLabelFilter, parameters).map((fault) => fault.path),
      [path],
    );
  });
}

import assert from "node:assert/strict";
import test from "node:test";
import { parameterFaults, rejectionsOf } from "../../../test/fixtures/plugin-bench.ts";
import { byLabelSelectorFilter, labelSelectorFilter } from "./label-selector.ts";

const POOL = [
  { labels: { app: "chat", tier: "front", version: "1" } },
  { labels: { app: "chat", tier: "front", old: "true" } },
  { labels: { app: "embed", tier: "back" } },
  {},
];
const expression = (key: string, operator: string, values?: readonly string[]) => ({
  matchExpressions: [{ key, operator, ...(values && { values }) }],
});

const cases: readonly { name: string; parameters: unknown; kept: readonly number[] }[] = [
  { name: "an empty selector matches all", parameters: {}, kept: [0, 1, 2, 3] },
  { name: "no selector matches all", parameters: undefined, kept: [0, 1, 2, 3] },
  { name: "matchLabels", parameters: { matchLabels: { app: "chat" } }, kept: [0, 1] },
  {
    name: "all of matchLabels",
    parameters: { matchLabels: { app: "chat", version: "1" } },
    kept: [0],
  },
  { name: "In", parameters: expression("tier", "In", ["back", "side"]), kept: [2] },
  {
    name: "NotIn holds without the label",
    parameters: expression("tier", "NotIn", ["back"]),
    kept: [0, 1, 3],
  },
  { name: "Exists", parameters: expression("old", "Exists"), kept: [1] },
  { name: "DoesNotExist", parameters: expression("old", "DoesNotExist"), kept: [0, 2, 3] },
  {
    name: "labels and expressions together",
    parameters: { matchLabels: { app: "chat" }, ...expression("old", "DoesNotExist") },
    kept: [0],
  },
  { name: "nobody", parameters: { matchLabels: { app: "none" } }, kept: [] },
];
for (const filter of [labelSelectorFilter, byLabelSelectorFilter]) {
  for (const { name, parameters, kept } of cases) {
    test(`${filter.type}: ${name}`, () => {
      const rejections = rejectionsOf(filter, POOL, { parameters });
      assert.deepEqual(
        [...POOL.keys()].filter((index) => !rejections.has(index)),
        kept,
      );
    });
  }
}

test("label-selector-filter: the reason names the label", () => {
  const parameters = { matchLabels: { app: "chat" } };
  const rejections = rejectionsOf(labelSelectorFilter, POOL, { parameters });
  assert.equal(rejections.get(2), "label app is embed");
  assert.equal(rejections.get(3), "label app is not there");
});

for (const [name, parameters, path, allowed] of [
  [
    "an unknown operator",
    expression("app", "Is", ["chat"]),
    "matchExpressions[0].operator",
    "In,NotIn,Exists,DoesNotExist",
  ],
  ["In without values", expression("app", "In"), "matchExpressions[0].values", undefined],
  ["Exists with values", expression("a", "Exists", ["b"]), "matchExpressions[0].values", undefined],
  ["an empty key", expression("", "Exists"), "matchExpressions[0].key", undefined],
  ["a label that is no text", { matchLabels: { app: 1 } }, "matchLabels.app", undefined],
] as const) {
  test(`label-selector-filter: ${name} is a fault at ${path}`, () => {
    const [fault, ...more] = parameterFaults(labelSelectorFilter, parameters);
    assert.equal(fault?.path, path);
    assert.equal(fault?.allowed?.join(), allowed);
    assert.equal(more.length, 0);
  });
}

import assert from "node:assert/strict";
import test from "node:test";
import { SeededRng } from "../core/rng.ts";
import { type ModelRewrite, rewriteFor } from "./model-rewrite.ts";

type Target = ModelRewrite["rules"][number]["targets"][number];
const target = (model: string, weight?: number): Target => ({ model, weight });
const rewrite = (matches: readonly string[], ...targets: readonly Target[]): ModelRewrite => ({
  rules: [{ matches, targets }],
});

const DRAWS = 20_000;

/** Share of each target over many draws. */
function sharesOf(targets: readonly Target[]): Readonly<Record<string, number>> {
  const rng = new SeededRng(7);
  const counts: Record<string, number> = {};
  for (let draw = 0; draw < DRAWS; draw++) {
    const model = rewriteFor([rewrite(["m"], ...targets)], "m", rng) ?? "none";
    counts[model] = (counts[model] ?? 0) + 1 / DRAWS;
  }
  return counts;
}

const SHARES: readonly [string, readonly Target[], Readonly<Record<string, number>>][] = [
  ["one target", [target("a")], { a: 1 }],
  ["equal weights", [target("a", 5), target("b", 5)], { a: 0.5, b: 0.5 }],
  ["unequal weights", [target("a", 90), target("b", 10)], { a: 0.9, b: 0.1 }],
  [
    "no weights are uniform",
    [target("a"), target("b"), target("c")],
    { a: 1 / 3, b: 1 / 3, c: 1 / 3 },
  ],
  ["zero weights are uniform", [target("a", 0), target("b", 0)], { a: 0.5, b: 0.5 }],
  ["mixed: only weighted ones", [target("a"), target("b", 1), target("c", 1)], { b: 0.5, c: 0.5 }],
  ["mixed with zero", [target("a", 0), target("b", 3), target("c")], { b: 1 }],
];
for (const [name, targets, want] of SHARES) {
  test(`model rewrite: ${name}`, () => {
    const shares = sharesOf(targets);
    assert.deepEqual(Object.keys(shares).sort(), Object.keys(want).sort());
    for (const [model, share] of Object.entries(want))
      assert.ok(Math.abs((shares[model] ?? 0) - share) < 0.02, `${model}: ${shares[model]}`);
  });
}

const CHOICES: readonly [
  string,
  readonly ModelRewrite[],
  string | undefined,
  string | undefined,
][] = [
  ["no rule", [], "m", undefined],
  ["a rule for another model", [rewrite(["n"], target("x"))], "m", undefined],
  ["one of several matches", [rewrite(["n", "m"], target("x"))], "m", "x"],
  ["a generic rule", [rewrite([], target("x"))], "m", "x"],
  ["exact beats generic", [rewrite([], target("x")), rewrite(["m"], target("y"))], "m", "y"],
  ["the oldest exact one", [rewrite(["m"], target("x")), rewrite(["m"], target("y"))], "m", "x"],
  ["the oldest generic one", [rewrite([], target("x")), rewrite([], target("y"))], "m", "x"],
  ["no model and an exact rule", [rewrite(["m"], target("x"))], undefined, undefined],
  ["no model and a generic rule", [rewrite([], target("x"))], undefined, "x"],
  ["a rule without targets", [rewrite(["m"])], "m", undefined],
];
for (const [name, rewrites, model, want] of CHOICES) {
  test(`model rewrite: ${name} gives ${want}`, () => {
    assert.equal(rewriteFor(rewrites, model, new SeededRng(1)), want);
  });
}

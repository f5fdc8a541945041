import assert from "node:assert/strict";
import { test } from "node:test";
import { examplePair, exampleService, pairWith } from "./comparison-fixture.test.ts";
import { contestantsOf } from "./contestants.ts";
import { measuredCells } from "./measured.ts";
import { normalise } from "./normalise.ts";
import type { Pair } from "./side.ts";
import {
  capacityCells,
  type SweepShape,
  type SweepSubject,
  sweepCells,
  sweepShape,
} from "./sweep-plan.ts";

const SEEDS = [1, 2, 3];

function subjectOf(pair: Pair): SweepSubject {
  const variant = (name: "left" | "right") =>
    ({ name, title: pair[name].label, side: name, variation: {} }) as const;
  return {
    sides: [variant("left"), variant("right")],
    contestants: contestantsOf(pair),
    gpus: 4,
    link: "rdma",
  };
}

const capacitiesOf = (shape: SweepShape) =>
  new Map([0, ...shape.promptTokens].map((tokens) => [tokens, 10]));

test("sweep-plan: the default sweep of the examples has at most 150 cells, each once", () => {
  const subject = subjectOf(normalise(examplePair()).pair);
  const shape = sweepShape("default", { contextTokens: 131_072, seeds: SEEDS });
  const cells = [
    ...measuredCells(SEEDS, "written"),
    ...capacityCells(shape, subject),
    ...sweepCells(shape, subject, capacitiesOf(shape)),
  ];
  assert.ok(cells.length > 100 && cells.length <= 150, `${cells.length} cells`);
  assert.equal(new Set(cells.map(({ key }) => key)).size, cells.length);
});

test("sweep-plan: links, proportions and thresholds are those that the split does not have", () => {
  const subject = subjectOf(normalise(examplePair()).pair);
  const shape = sweepShape("default", { contextTokens: 131_072, seeds: SEEDS });
  const variants = new Set(
    sweepCells(shape, subject, capacitiesOf(shape)).map(({ variant }) => variant),
  );
  assert.deepEqual(
    [...variants].toSorted(),
    [
      "choice",
      "left",
      "link-rdma-100",
      "link-rdma-200",
      "link-tcp",
      "ratio-1-3",
      "ratio-3-1",
      "right",
      "threshold-0",
      "threshold-32768",
      "threshold-8192",
    ].toSorted(),
  );
});

test("sweep-plan: prompts that the engines do not take are left out", () => {
  const shape = sweepShape("default", { contextTokens: 4096, seeds: [1] });
  assert.deepEqual(shape.promptTokens, [500, 2000]);
});

test("sweep-plan: two single pools are compared by length and load alone", () => {
  const one = exampleService("gpt-oss-20b");
  const other = exampleService("gpt-oss-20b", [
    ["name: gpt-oss-20b\n  namespace", "name: other\n  namespace"],
  ]);
  const subject = subjectOf(pairWith(one, other));
  assert.equal(subject.contestants, undefined);
  const shape = sweepShape("default", { contextTokens: 131_072, seeds: [1] });
  const cells = sweepCells(shape, subject, capacitiesOf(shape));
  assert.deepEqual([...new Set(cells.map(({ variant }) => variant))], ["left", "right"]);
});

test("sweep-plan: without a capacity there is no load and so no cell", () => {
  const subject = subjectOf(normalise(examplePair()).pair);
  const shape = sweepShape("default", { contextTokens: 131_072, seeds: [1] });
  const cells = sweepCells(shape, subject, new Map());
  assert.ok(cells.every(({ loadRatio }) => loadRatio === 0));
});

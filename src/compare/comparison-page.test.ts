import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceReport } from "../sim/report.ts";
import { runCell } from "./cell.ts";
import { foldComparison } from "./comparison.ts";
import { benchOf, examplePair } from "./comparison-fixture.test.ts";
import { comparisonPage } from "./comparison-page.ts";
import { comparisonText } from "./comparison-text.ts";
import { contestantsOf } from "./contestants.ts";
import { measuredCells } from "./measured.ts";
import { normalise } from "./normalise.ts";
import { capacityCells, type SweepSubject, sweepCells, sweepShape } from "./sweep-plan.ts";
import { readCapacities } from "./sweep-result.ts";

const PAIR = examplePair();
const FACTS = {
  written: PAIR,
  measuredPair: PAIR,
  normalised: [],
  sweptOn: [],
  slo: { ttftMs: 2000, tpotMs: 25 },
  seeds: [1],
  usdPerGpuHour: 2,
  isComplete: true,
};

/** A small sweep that is really run: one length, two loads, one seed. */
async function smallComparison() {
  const equal = normalise(PAIR).pair;
  const bench = {
    ...benchOf(PAIR),
    askedWorkload: () => ({
      name: "one request",
      stages: () => [
        {
          name: "all",
          arrivals: [
            { atUs: 0, request: { segments: [{ id: 1, tokenCount: 64 }], outputTokens: 5 } },
          ],
        },
      ],
    }),
  };
  const shape = {
    ...sweepShape("default", { contextTokens: 9000, seeds: [1] }),
    promptTokens: [500],
    loadRatios: [0.3, 0.9],
    outputTokens: 20,
    requests: 15,
  };
  const variant = (name: "left" | "right") =>
    ({ name, title: equal[name].label, side: name, variation: {} }) as const;
  const subject: SweepSubject = {
    sides: [variant("left"), variant("right")],
    contestants: contestantsOf(equal),
    // One GPU's worth of requests finds the capacity well enough.
    gpus: 1,
    link: "rdma",
  };
  const results = new Map<string, ServiceReport>();
  const run = async (cells: Parameters<typeof runCell>[0][]): Promise<void> => {
    for (const cell of cells) {
      const result = await runCell(cell, bench);
      if (result !== undefined) results.set(result.key, result.report);
    }
  };
  const probes = capacityCells(shape, subject);
  await run([...probes, ...measuredCells([1], "written")]);
  const capacities = readCapacities(probes, results);
  const cells = sweepCells(shape, subject, capacities);
  await run([...cells]);
  return foldComparison({ ...FACTS, sweep: { shape, subject, capacities, cells }, results });
}

const REPORT = await smallComparison();

test("comparison: the same sweep again gives the same bytes", async () => {
  assert.equal(JSON.stringify(await smallComparison()), JSON.stringify(REPORT));
});

test("comparison-text: says the answer first and fits into 100 columns", () => {
  const lines = comparisonText(REPORT).split("\n");
  assert.equal(lines[0], "gpt-oss-20b and qwen-pd");
  assert.match(lines[3] ?? "", /^(?:Single pool|P\/D split)/);
  assert.deepEqual(
    lines.filter((line) => line.length > 100),
    [],
  );
});

test("comparison-page: needs nothing from elsewhere and has both colour schemes", () => {
  const page = comparisonPage(REPORT);
  assert.doesNotMatch(page, /<script|<link|<img|@import|src=|href=|url\(/);
  assert.match(page, /prefers-color-scheme: dark/);
  assert.ok(page.startsWith("<!doctype html>"));
});

test("comparison-page: every plot is there and every number in it is one", () => {
  const page = comparisonPage(REPORT);
  // Two charts a length, three maps, one heat a side, one timeline.
  assert.equal(page.match(/<svg /g)?.length, 2 + 3 + 2 + 1);
  assert.doesNotMatch(page, /NaN|Infinity|undefined/);
  for (const [tag] of page.matchAll(/<(\w+)[ >]/g)) {
    const name = tag.slice(1, -1);
    if (["meta", "input"].includes(name)) continue;
    const opened = page.match(new RegExp(`<${name}[ >]`, "g"))?.length;
    assert.equal(page.match(new RegExp(`</${name}>`, "g"))?.length, opened, name);
  }
});

test("comparison-page: names cannot become markup", () => {
  const page = comparisonPage({ ...REPORT, left: '<b onclick="x">' });
  assert.doesNotMatch(page, /<b onclick/);
});

test("comparison: without results the tables are there and nothing is concluded", () => {
  const report = foldComparison({
    ...FACTS,
    sweep: undefined,
    results: new Map(),
    isComplete: false,
  });
  assert.equal(report.answer, null);
  assert.equal(report.measured, null);
  assert.ok(report.tables.length > 5);
  assert.match(comparisonText(report), /Interrupted/);
  assert.match(comparisonPage(report), /Interrupted/);
});

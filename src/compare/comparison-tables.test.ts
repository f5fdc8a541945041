import assert from "node:assert/strict";
import { test } from "node:test";
import {
  examplePair,
  exampleService,
  pairWith,
  readRepositoryFile,
} from "./comparison-fixture.test.ts";
import { comparisonTables } from "./comparison-tables.ts";
import { confounderTable, findConfounders } from "./confounders.ts";
import { flowText, requestFlow } from "./request-flow.ts";
import { textTable } from "./text-table.ts";

test("comparison-tables: those of the examples are the recorded ones", () => {
  const pair = examplePair();
  const texts = [
    textTable(confounderTable(pair, findConfounders(pair))),
    ...comparisonTables(pair).map((table) => textTable(table)),
    flowText(requestFlow(pair.left)),
    flowText(requestFlow(pair.right)),
  ];
  assert.equal(`${texts.join("\n\n\n")}\n`, readRepositoryFile("test/golden/compare/examples.txt"));
});

test("comparison-tables: every line of the recorded ones fits into 100 columns", () => {
  const lines = readRepositoryFile("test/golden/compare/examples.txt").split("\n");
  assert.ok(lines.length > 200);
  assert.deepEqual(
    lines.filter((line) => line.length > 100),
    [],
  );
});

test("comparison-tables: pools that differ are told apart", () => {
  const service = exampleService("qwen-pd");
  const { prefill } = service;
  assert.ok(prefill !== undefined);
  const uneven = { ...service, prefill: { ...prefill, limits: { ...prefill.limits, cpu: "8" } } };
  const resources = comparisonTables(pairWith(exampleService("gpt-oss-20b"), uneven)).find(
    ({ title }) => title === "Model deployment resources",
  );
  const cpu = resources?.rows.find(([aspect]) => aspect === "CPU");
  assert.deepEqual(cpu, ["CPU", "1", "decode: 4\nprefill: 4 to 8"]);
});

test("comparison-tables: two single pools get no rules of thumb about splitting", () => {
  const one = exampleService("gpt-oss-20b");
  const other = exampleService("gpt-oss-20b", [
    ["name: gpt-oss-20b\n  namespace", "name: other\n  namespace"],
  ]);
  const titles = comparisonTables(pairWith(one, other)).map(({ title }) => title);
  assert.ok(titles.includes("Serving strategies"));
  assert.ok(!titles.includes("When to use each"));
});

test("request-flow: the decode profile is drawn before the prefill profile", () => {
  const titles = requestFlow(examplePair().right).steps.map(({ title }) => title);
  const decode = titles.indexOf("Filters (profile decode)");
  const prefill = titles.indexOf("Filters (profile prefill)");
  assert.ok(decode > 0 && decode < prefill);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkFacts } from "../app/check-facts.ts";
import { builtinRegistry } from "../app/plugin-registry.ts";
import { checkFiles } from "../check/check-files.ts";
import { findTarget } from "../check/targets.ts";
import {
  examplePair,
  exampleService,
  pairWith,
  readRepositoryFile,
} from "./comparison-fixture.test.ts";
import { findConfounders } from "./confounders.ts";
import { normalise } from "./normalise.ts";

test("confounders: those of the examples are what check finds about the two", () => {
  const files = ["examples/gpt-oss-20b.yaml", "examples/qwen-pd.yaml"].map((file) => ({
    file,
    text: readRepositoryFile(file),
  }));
  const target = findTarget("switchyard");
  assert.ok(target !== undefined);
  const registry = builtinRegistry();
  const rules = checkFiles(files, { target, facts: checkFacts(undefined), registry })
    .map(({ rule }) => rule)
    .filter((rule) => rule.startsWith("J"));
  const own = findConfounders(examplePair()).map(({ rule }) => rule);
  assert.deepEqual(own.toSorted(), [...new Set(rules)].toSorted());
});

test("confounders: a service has none against itself", () => {
  const { left } = examplePair();
  assert.deepEqual(findConfounders({ left, right: left }), []);
});

for (const { name, edit, what } of [
  {
    name: "another model",
    edit: ["hf://openai/gpt-oss-20b", "hf://openai/gpt-oss-120b"],
    what: "model",
  },
  { name: "more endpoints", edit: ["  replicas: 4", "  replicas: 6"], what: "GPUs in all" },
  {
    name: "an engine argument",
    edit: ["--disable-uvicorn-access-log", "--block-size 32"],
    what: "vLLM arguments",
  },
  { name: "another weight", edit: ["weight: 2.0", "weight: 3.0"], what: "choice within a pool" },
  { name: "a probe without TLS", edit: ["scheme: HTTPS", "scheme: HTTP"], what: "TLS" },
  { name: "more memory", edit: ["memory: 8Gi", "memory: 9Gi"], what: "CPU and memory" },
] as const) {
  test(`confounders: ${name} is one`, () => {
    const one = exampleService("gpt-oss-20b");
    const other = exampleService("gpt-oss-20b", [[edit[0], edit[1]]]);
    const found = findConfounders(pairWith(one, other)).map((confounder) => confounder.what);
    assert.ok(found.includes(what), found.join());
  });
}

test("confounders: normalisation leaves neither model nor GPUs among them", () => {
  const left = exampleService("gpt-oss-20b", [["  replicas: 4", "  replicas: 6"]]);
  const pair = pairWith(left, exampleService("qwen-pd"));
  const before = findConfounders(pair).map(({ rule }) => rule);
  assert.ok(before.includes("J1") && before.includes("J2"));
  const after = findConfounders(normalise(pair).pair).map(({ rule }) => rule);
  assert.ok(!after.includes("J1") && !after.includes("J2"));
});

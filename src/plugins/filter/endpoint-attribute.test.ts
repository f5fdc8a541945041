import assert from "node:assert/strict";
import test from "node:test";
import {
  benchByColumn,
  parameterFaults,
  rejectionsOn,
} from "../../../test/fixtures/plugin-bench.ts";
import { inFlightTokens, runningRequests } from "../../endpoints/numeric-attribute.ts";
import { endpointAttributeFilter } from "./endpoint-attribute.ts";

function parametersWith(operator: string, more: object = {}) {
  const algorithm = { type: "threshold", threshold: { operator, value: 5 } };
  return { attribute: "runningRequests", algorithm, ...more };
}

const KNOWN = [4, 5, 6];
const operators: readonly (readonly [operator: string, kept: readonly number[]])[] = [
  ["LessThan", [4]],
  ["LessThanOrEqual", [4, 5]],
  ["GreaterThan", [6]],
  ["GreaterThanOrEqual", [5, 6]],
  ["Equal", [5]],
  ["NotEqual", [4, 6]],
];
for (const [operator, kept] of operators) {
  test(`endpoint-attribute-filter: ${operator} 5`, () => {
    const parameters = parametersWith(operator);
    const bench = benchByColumn(endpointAttributeFilter, runningRequests, KNOWN, { parameters });
    const rejections = rejectionsOn(bench);
    assert.deepEqual(
      KNOWN.filter((_, index) => !rejections.has(index)),
      kept,
    );
    for (const reason of rejections.values()) {
      assert.equal(reason, `runningRequests is not ${operator} 5`);
    }
  });
}

const { NaN: unknown } = Number;
for (const [name, more, values, dropped] of [
  ["a missing value passes unless set", {}, [9, unknown], [0]],
  ["a missing value may fail", { onMissing: "Fail" }, [4, unknown], [1]],
  ["nobody is left", { onMissing: "Fail" }, [9, unknown], [0, 1]],
  [
    "nobody is left, with a fallback",
    { onMissing: "Fail", fallbackOnEmpty: true },
    [9, unknown],
    [],
  ],
  ["a single one", {}, [9], [0]],
  ["none", {}, [], []],
] as const) {
  test(`endpoint-attribute-filter: ${name}`, () => {
    const parameters = parametersWith("LessThan", more);
    const bench = benchByColumn(endpointAttributeFilter, runningRequests, values, { parameters });
    assert.deepEqual([...rejectionsOn(bench).keys()], dropped);
  });
}

test("endpoint-attribute-filter: the router's own columns can be read, and llm-d's names", () => {
  const own = parametersWith("LessThan", { attribute: "inFlightTokens", producer: "any" });
  const bench = benchByColumn(endpointAttributeFilter, inFlightTokens, [9, 1], { parameters: own });
  assert.deepEqual([...rejectionsOn(bench).keys()], [0]);
  const theirs = parametersWith("LessThan", { attribute: "vllm:num_requests_running" });
  const other = benchByColumn(endpointAttributeFilter, runningRequests, [9, 1], {
    parameters: theirs,
  });
  assert.deepEqual([...rejectionsOn(other).keys()], [0]);
});

for (const [name, parameters, path] of [
  ["no attribute", { ...parametersWith("Equal"), attribute: undefined }, "attribute"],
  ["an unknown attribute", parametersWith("Equal", { attribute: "gpuLoad" }), "attribute"],
  ["an unknown operator", parametersWith("Like"), "algorithm.threshold.operator"],
  ["an unknown policy", parametersWith("Equal", { onMissing: "Keep" }), "onMissing"],
  [
    "an unknown algorithm",
    { attribute: "runningRequests", algorithm: { type: "topK" } },
    "algorithm.type",
  ],
  ["no algorithm", { attribute: "runningRequests" }, "algorithm"],
] as const) {
  test(`endpoint-attribute-filter: ${name} is a fault at ${path}`, () => {
    const [fault] = parameterFaults(endpointAttributeFilter, parameters);
    assert.equal(fault?.path, path);
    if (name.startsWith("an unknown")) assert.ok((fault?.allowed?.length ?? 0) > 0);
  });
}

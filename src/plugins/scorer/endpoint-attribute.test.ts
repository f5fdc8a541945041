import assert from "node:assert/strict";
import test from "node:test";
import {
  benchByColumn,
  parameterFaults,
  scoresFor,
  scoresOn,
} from "../../../test/fixtures/plugin-bench.ts";
import { NUMERIC_ATTRIBUTES, waitingQueueDepth } from "../../endpoints/numeric-attribute.ts";
import { endpointAttributeScorer } from "./endpoint-attribute.ts";

const LOWER = "linear_lower_is_better";
const HIGHER = "linear_higher_is_better";
const parametersWith = (type: string, normalization?: object) => ({
  attributeKey: "waitingQueueDepth",
  algorithm: { type, ...(normalization && { normalization }) },
});
const FIXED = { fixedRange: { min: 0, max: 10 } };
const { NaN: unknown } = Number;

for (const [name, parameters, values, want] of [
  ["lower", parametersWith(LOWER), [10, 5, 0], [0, 0.5, 1]],
  ["higher", parametersWith(HIGHER), [10, 5, 0], [1, 0.5, 0]],
  ["adaptive by name", parametersWith(HIGHER, { adaptiveRange: {} }), [2, 4], [0, 1]],
  ["an empty normalization adapts", parametersWith(HIGHER, {}), [2, 4], [0, 1]],
  ["all equal", parametersWith(LOWER), [3, 3], [1, 1]],
  ["all equal, higher", parametersWith(HIGHER), [3, 3], [1, 1]],
  ["a single one", parametersWith(HIGHER), [3], [1]],
  ["unknown is half and out of the range", parametersWith(LOWER), [unknown, 2, 4], [0.5, 1, 0]],
  ["nobody is known", parametersWith(HIGHER), [unknown, unknown], [0.5, 0.5]],
  ["fixed, lower", parametersWith(LOWER, FIXED), [0, 2, 10], [1, 0.8, 0]],
  ["fixed, higher", parametersWith(HIGHER, FIXED), [0, 2, 10], [0, 0.2, 1]],
  [
    "values outside of the fixed range count as its ends",
    parametersWith(HIGHER, FIXED),
    [-5, 99],
    [0, 1],
  ],
  ["fixed, unknown", parametersWith(HIGHER, FIXED), [unknown], [0.5]],
  ["fixed, all equal", parametersWith(HIGHER, FIXED), [5, 5], [0.5, 0.5]],
  ["nobody", parametersWith(LOWER), [], []],
] as const) {
  test(`endpoint-attribute-scorer: ${name}`, () => {
    const bench = benchByColumn(endpointAttributeScorer, waitingQueueDepth, values, { parameters });
    assert.deepEqual(scoresOn(bench), want);
  });
}

for (const attributeKey of ["waitingQueueDepth", "vllm:num_requests_waiting", "queuedRequests"]) {
  test(`endpoint-attribute-scorer: ${attributeKey} is the waiting queue`, () => {
    const parameters = { ...parametersWith(LOWER), attributeKey, producer: "any" };
    const endpoints = [{ queue: 1 }, { queue: 3 }];
    assert.deepEqual(scoresFor(endpointAttributeScorer, endpoints, { parameters }), [1, 0]);
  });
}

for (const [name, parameters, path] of [
  ["no attribute", { algorithm: { type: LOWER } }, "attributeKey"],
  ["no algorithm", { attributeKey: "kvCacheUsage" }, "algorithm"],
  ["an unknown algorithm", parametersWith("log"), "algorithm.type"],
  [
    "both ranges",
    parametersWith(LOWER, { ...FIXED, adaptiveRange: {} }),
    "algorithm.normalization",
  ],
  [
    "an empty range",
    parametersWith(LOWER, { fixedRange: { min: 1, max: 1 } }),
    "algorithm.normalization.fixedRange.max",
  ],
] as const) {
  test(`endpoint-attribute-scorer: ${name} is a fault at ${path}`, () => {
    assert.equal(parameterFaults(endpointAttributeScorer, parameters)[0]?.path, path);
  });
}

test("endpoint-attribute-scorer: an unknown attribute lists what is known", () => {
  const [fault] = parameterFaults(endpointAttributeScorer, {
    ...parametersWith(LOWER),
    attributeKey: "gpuLoad",
  });
  assert.equal(fault?.path, "attributeKey");
  for (const { name } of NUMERIC_ATTRIBUTES) assert.ok(fault?.allowed?.includes(name), name);
  assert.ok(fault?.allowed?.includes("vllm:kv_cache_usage_perc"));
});

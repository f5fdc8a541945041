import assert from "node:assert/strict";
import test from "node:test";
import {
  kvBlockCount,
  kvBlockTokens,
  kvCacheUsage,
  NUMERIC_ATTRIBUTES,
  runningRequests,
  waitingQueueDepth,
} from "../endpoints/numeric-attribute.ts";
import { endpointAttribute } from "./endpoint-attribute.ts";

test("endpoint-attribute: every column is known by its own name", () => {
  for (const attribute of NUMERIC_ATTRIBUTES) {
    assert.equal(endpointAttribute.parse(attribute.name), attribute);
  }
});

for (const [name, attribute] of [
  ["queuedRequests", waitingQueueDepth],
  ["vllm:num_requests_waiting", waitingQueueDepth],
  ["vllm:num_requests_running", runningRequests],
  ["num_requests_running", runningRequests],
  ["vllm:kv_cache_usage_perc", kvCacheUsage],
  ["vllm:gpu_cache_usage_perc", kvCacheUsage],
  ["num_gpu_blocks", kvBlockCount],
  ["block_size", kvBlockTokens],
] as const) {
  test(`endpoint-attribute: ${name} is ${attribute.name}`, () => {
    assert.equal(endpointAttribute.parse(name), attribute);
  });
}

for (const name of ["", "waitingqueuedepth", "vllm:e2e", 3, undefined, "toString"]) {
  test(`endpoint-attribute: ${JSON.stringify(name)} is none`, () => {
    assert.equal(endpointAttribute.safeParse(name).success, false);
  });
}

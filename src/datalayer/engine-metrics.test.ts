import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  inFlightRequests,
  kvBlockCount,
  kvBlockTokens,
  kvCacheUsage,
  NUMERIC_ATTRIBUTES,
  runningRequests,
  waitingQueueDepth,
} from "../endpoints/numeric-attribute.ts";
import { vllmReader } from "./engine-metrics.ts";

const golden = [
  { file: "vllm-v1", waiting: 3, running: 12, usage: 0.4375, tokens: 16, blocks: 39_744 },
  { file: "vllm-v1-data-parallel", waiting: 2, running: 7, usage: 0.25, tokens: 128, blocks: 8192 },
  { file: "vllm-v0", waiting: 0, running: 2, usage: 0.0031520305, tokens: 16, blocks: 27_284 },
];

for (const { file, waiting, running, usage, tokens, blocks } of golden) {
  test(`engine-metrics: ${file}`, () => {
    const url = new URL(`../../test/golden/metrics/${file}.txt`, import.meta.url);
    const values = vllmReader(NUMERIC_ATTRIBUTES)(readFileSync(url, "utf8"));
    assert.deepEqual(
      values,
      new Map([
        [waitingQueueDepth, waiting],
        [runningRequests, running],
        [kvCacheUsage, usage],
        [kvBlockTokens, tokens],
        [kvBlockCount, blocks],
      ]),
    );
  });
}

test("engine-metrics: only what is consumed is read", () => {
  const text = "vllm:num_requests_waiting 3\nvllm:num_requests_running 4\n";
  assert.deepEqual(
    vllmReader([waitingQueueDepth, inFlightRequests])(text),
    new Map([[waitingQueueDepth, 3]]),
  );
  assert.equal(vllmReader([])(text).size, 0);
});

for (const { name, text, want } of [
  { name: "NaN is unknown", text: "vllm:kv_cache_usage_perc NaN", want: undefined },
  { name: "infinity is unknown", text: "vllm:kv_cache_usage_perc +Inf", want: undefined },
  { name: "a negative value is unknown", text: "vllm:kv_cache_usage_perc -1", want: undefined },
  { name: "a ratio is at most 1", text: "vllm:kv_cache_usage_perc 1.2", want: 1 },
  {
    name: "the older name stands in for an unusable one",
    text: "vllm:kv_cache_usage_perc NaN\nvllm:gpu_cache_usage_perc 0.5",
    want: 0.5,
  },
]) {
  test(`engine-metrics: ${name}`, () => {
    assert.equal(vllmReader([kvCacheUsage])(text).get(kvCacheUsage), want);
  });
}

test("engine-metrics: block counts that are not known yet are absent", () => {
  const text = 'vllm:cache_config_info{block_size="16",num_gpu_blocks="None"} 1';
  assert.deepEqual(vllmReader([kvBlockCount, kvBlockTokens])(text), new Map([[kvBlockTokens, 16]]));
});

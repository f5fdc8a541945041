import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  inFlightRequests,
  kvBlockCount,
  kvBlockTokens,
  kvCacheUsage,
  NUMERIC_ATTRIBUTES,
  type NumericAttribute,
  runningRequests,
  waitingQueueDepth,
} from "../endpoints/numeric-attribute.ts";
import {
  type ConsumedMetrics,
  type EngineReading,
  type EngineType,
  engineReader,
  engineTypeOf,
} from "./engine-metrics.ts";

const readerOf = (consumes: ConsumedMetrics, type: EngineType = "vllm") => {
  const reader = engineReader(type, consumes);
  return (text: string): EngineReading => reader(Buffer.from(text));
};
const columnsReader = (columns: readonly NumericAttribute[]) => readerOf({ columns, lora: false });

const golden: readonly {
  file: string;
  type?: EngineType;
  waiting: number;
  running: number;
  usage: number;
  tokens: number;
  blocks: number;
}[] = [
  { file: "vllm-v1", waiting: 3, running: 12, usage: 0.4375, tokens: 16, blocks: 39_744 },
  { file: "vllm-v1-data-parallel", waiting: 2, running: 7, usage: 0.25, tokens: 128, blocks: 8192 },
  { file: "vllm-v0", waiting: 0, running: 2, usage: 0.0031520305, tokens: 16, blocks: 27_284 },
  ...["sglang-labels", "sglang-gauges"].map((file) => ({
    file,
    type: "sglang" as const,
    waiting: 5,
    running: 17,
    usage: 0.28,
    tokens: 64,
    blocks: 11_147,
  })),
  {
    file: "trtllm-serve",
    type: "trtllm-serve",
    waiting: 4,
    running: 9,
    usage: 0.4375,
    tokens: 32,
    blocks: 62_762,
  },
  {
    file: "triton-tensorrt-llm",
    type: "triton-tensorrt-llm",
    waiting: 6,
    running: 11,
    usage: 0.125,
    tokens: 64,
    blocks: 6248,
  },
];

for (const { file, type = "vllm", waiting, running, usage, tokens, blocks } of golden) {
  test(`engine-metrics: ${file}`, () => {
    const url = new URL(`../../test/golden/metrics/${file}.txt`, import.meta.url);
    const scraped = NUMERIC_ATTRIBUTES.filter(({ source }) => source === "scrape");
    const reading = engineReader(type, { columns: scraped, lora: true })(readFileSync(url));
    assert.deepEqual(reading.missing, []);
    assert.deepEqual(
      reading.values,
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

test("engine-metrics: a family that is not there is missing, and the others are read", () => {
  const text = "sglang:num_queue_reqs 3\nvllm:num_requests_running 4\n";
  const columns = [waitingQueueDepth, runningRequests];
  const reading = readerOf({ columns, lora: true }, "sglang")(text);
  assert.deepEqual(reading.values, new Map([[waitingQueueDepth, 3]]));
  assert.deepEqual(reading.missing, ["runningRequests"]);
  assert.equal(reading.lora, undefined);
});

for (const { labels, want } of [
  { labels: {}, want: "vllm" },
  { labels: { "llm-d.ai/engine-type": "sglang" }, want: "sglang" },
  { labels: { "inference.networking.k8s.io/engine-type": "trtllm-serve" }, want: "trtllm-serve" },
  {
    labels: {
      "llm-d.ai/engine-type": "triton",
      "inference.networking.k8s.io/engine-type": "sglang",
    },
    want: "triton",
  },
  { labels: { "llm-d.ai/engine-type": "no-such-engine" }, want: "vllm" },
]) {
  test(`engine-metrics: type by labels ${JSON.stringify(labels)}`, () => {
    assert.equal(engineTypeOf(labels), want);
  });
}

test("engine-metrics: only what is consumed is read", () => {
  const text = "vllm:num_requests_waiting 3\nvllm:num_requests_running 4\n";
  assert.deepEqual(
    columnsReader([waitingQueueDepth, inFlightRequests])(text).values,
    new Map([[waitingQueueDepth, 3]]),
  );
  assert.equal(columnsReader([])(text).values.size, 0);
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
    assert.equal(columnsReader([kvCacheUsage])(text).values.get(kvCacheUsage), want);
  });
}

test("engine-metrics: block counts that are not known yet are absent", () => {
  const text = 'vllm:cache_config_info{block_size="16",num_gpu_blocks="None"} 1';
  assert.deepEqual(
    columnsReader([kvBlockCount, kvBlockTokens])(text).values,
    new Map([[kvBlockTokens, 16]]),
  );
});

test("engine-metrics, trap 32: both names of the KV gauge are read", () => {
  for (const name of ["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"]) {
    const { values } = columnsReader([kvCacheUsage])(`${name}{model_name="m"} 0.75`);
    assert.equal(values.get(kvCacheUsage), 0.75, name);
  }
});

const lora = (running: string, waiting: string, max: string, value: string): string =>
  `vllm:lora_requests_info{max_lora="${max}",running_lora_adapters="${running}",` +
  `waiting_lora_adapters="${waiting}"} ${value}\n`;
const adapters = (adaptersMax: number, running: string[], waiting: string[]) => ({
  adaptersMax,
  running: new Set(running),
  waiting: new Set(waiting),
});

for (const { name, text, want } of [
  {
    name: "adapters are listed with commas",
    text: lora("sql, chat", "code", "4", "1.7e+09"),
    want: adapters(4, ["sql", "chat"], ["code"]),
  },
  { name: "nothing listed is none", text: lora("", "", "4", "1"), want: adapters(4, [], []) },
  {
    name: "of several series the one with the largest value counts",
    text: lora("old", "", "4", "10") + lora("last", "", "4", "30") + lora("older", "", "4", "20"),
    want: adapters(4, ["last"], []),
  },
  { name: "an engine without adapters says nothing", text: "vllm:lora 1\n", want: undefined },
  { name: "no maximum is unknown", text: lora("sql", "", "None", "1"), want: undefined },
]) {
  test(`engine-metrics: LoRA: ${name}`, () => {
    assert.deepEqual(readerOf({ columns: [], lora: true })(text).lora, want);
    assert.equal(readerOf({ columns: [], lora: false })(text).lora, undefined);
  });
}

test("engine-metrics: LoRA: the adapters of vllm-v1", () => {
  const url = new URL("../../test/golden/metrics/vllm-v1.txt", import.meta.url);
  const reading = readerOf({ columns: [], lora: true })(readFileSync(url, "utf8"));
  assert.deepEqual(reading.lora, adapters(4, ["sql", "chat"], []));
});

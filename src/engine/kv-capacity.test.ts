import assert from "node:assert/strict";
import test from "node:test";
import { ConfigError } from "../core/config-error.ts";
import { invariant } from "../core/invariant.ts";
import { type EngineSettings, fillEngineConfig } from "./engine-config.ts";
import { findGpu } from "./gpus.ts";
import { kvBlockCount } from "./kv-capacity.ts";
import { findModel } from "./models.ts";

function facts(modelName: string, gpuName: string, tensorParallel: number) {
  const model = findModel(modelName);
  const gpu = findGpu(gpuName);
  invariant(model !== undefined && gpu !== undefined, `${modelName} on ${gpuName}`);
  return { model, gpu, tensorParallel, gpuMemoryUtilization: 0.9, blockTokens: 16 };
}

// num_gpu_blocks that vLLM 0.15.1 printed at a utilization of 0.90.
const published = [
  { model: "Llama-3.1-70B", tp: 4, blocks: 30_251 },
  { model: "Mistral-Nemo", tp: 1, blocks: 19_251 },
  { model: "Mistral-Nemo", tp: 2, blocks: 48_009 },
  { model: "Yi-34B", tp: 2, blocks: 20_793 },
  { model: "Qwen2.5-7B", tp: 1, blocks: 65_352 },
  { model: "Llama-2-7B", tp: 1, blocks: 7_463 },
];
for (const { model, tp, blocks } of published) {
  test(`kv capacity: ${model} on ${tp} H100 has vLLM's blocks`, () => {
    const actual = kvBlockCount(facts(model, "H100", tp));
    assert.ok(Math.abs(actual / blocks - 1) <= 0.016, `${actual} for ${blocks}`);
  });
}

test("kv capacity: sliding layers take little of a hybrid model's memory", () => {
  const tokens = 16 * kvBlockCount(facts("gpt-oss-120b", "H200", 1));
  assert.ok(Math.abs(tokens / 1.63e6 - 1) <= 0.05, `${tokens}`);
});

test("kv capacity: a model that does not fit says how much is needed and there", () => {
  assert.throws(
    () => kvBlockCount(facts("Llama-3.1-70B", "H100", 1)),
    (error) =>
      error instanceof ConfigError && /needs 133\.\d GiB.*there are 72\.0 GiB/.test(error.message),
  );
});

test("engine config: batch sizes follow the GPU's memory, as in vllm serve", () => {
  const batch = (gpuName: string): readonly number[] => {
    const config = fillEngineConfig(facts("Llama-3.1-8B", gpuName, 1));
    return [config.maxNumBatchedTokens, config.maxNumSeqs];
  };
  assert.deepEqual(batch("H100"), [8192, 1024]);
  assert.deepEqual(batch("A100"), [2048, 256]);
  assert.deepEqual(batch("L40S"), [2048, 256]);
});

test("engine config: defaults are vLLM's and undefined counts as absent", () => {
  const config = fillEngineConfig({ ...facts("gpt-oss-20b", "H100", 1), maxModelLen: undefined });
  assert.equal(config.maxModelLen, 131_072);
  assert.equal(config.kvHoldUs, 480_000_000);
  assert.equal(config.kvLoadFailurePolicy, "fail");
  assert.equal(config.isPrefixCachingEnabled, true);
  assert.equal(config.isKvEventsEnabled, false);
});

const refused: readonly { readonly settings: Partial<EngineSettings>; readonly path: string }[] = [
  { settings: { tensorParallel: 3 }, path: "tensorParallel" },
  { settings: { blockTokens: 0 }, path: "blockTokens" },
  { settings: { maxNumSeqs: 2.5 }, path: "maxNumSeqs" },
  { settings: { gpuMemoryUtilization: Number.NaN }, path: "gpuMemoryUtilization" },
  { settings: { maxModelLen: 200_000 }, path: "maxModelLen" },
  { settings: { blockCount: 10 }, path: "maxModelLen" },
  { settings: { blockCount: 1 }, path: "blockCount" },
  { settings: { maxNumBatchedTokens: 100, maxNumSeqs: 101 }, path: "maxNumBatchedTokens" },
];
for (const { settings, path } of refused) {
  test(`engine config: ${JSON.stringify(settings)} is refused at ${path}`, () => {
    assert.throws(
      () => fillEngineConfig({ ...facts("Llama-3.1-8B", "H100", 1), ...settings }),
      (error) => error instanceof ConfigError && error.faults.some((fault) => fault.path === path),
    );
  });
}

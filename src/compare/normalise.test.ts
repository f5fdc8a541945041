import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../core/config-error.ts";
import { examplePair, exampleService, pairWith } from "./comparison-fixture.test.ts";
import { normalise, replicasFor, withReplicas } from "./normalise.ts";
import { totalGpus } from "./side.ts";

test("normalise: the second gets the first one's model and says so", () => {
  const { pair, changes } = normalise(examplePair());
  assert.equal(pair.right.service.modelUri, "hf://openai/gpt-oss-20b");
  assert.deepEqual(changes, ["qwen-pd serves openai/gpt-oss-20b, not Qwen/Qwen3-0.6B"]);
  assert.equal(pair.right.label, "qwen-pd");
});

test("normalise: services on equal terms stay as they are", () => {
  const { left } = examplePair();
  assert.deepEqual(normalise({ left, right: left }), { pair: { left, right: left }, changes: [] });
});

test("normalise: the one with fewer GPUs grows", () => {
  const { left, right } = examplePair();
  const small = { ...left, service: withReplicas(left.service, 1, 0) };
  const { pair } = normalise({ left: small, right });
  assert.equal(totalGpus(pair.left.service), 4);
  assert.equal(pair.left.service.main.replicas, 4);
});

for (const { decode, prefill, gpus, want } of [
  { decode: 2, prefill: 2, gpus: 8, want: [4, 4] },
  { decode: 1, prefill: 3, gpus: 8, want: [2, 6] },
  { decode: 1, prefill: 2, gpus: 7, want: [2, 5] },
  { decode: 2, prefill: 1, gpus: 4, want: [3, 1] },
]) {
  test(`normalise: ${prefill} prefill and ${decode} decode keep their proportion on ${gpus} GPUs`, () => {
    const found = replicasFor(withReplicas(exampleService("qwen-pd"), decode, prefill), gpus);
    assert.deepEqual([found?.main, found?.prefill], want);
  });
}

test("normalise: GPUs that cannot be shared out are an error", () => {
  const left = withReplicas(exampleService("gpt-oss-20b"), 7, 0);
  const right = exampleService("gpt-oss-20b", [
    ["name: gpt-oss-20b\n  namespace", "name: wide\n  namespace"],
    ['nvidia.com/gpu: "1"', 'nvidia.com/gpu: "2"'],
    ["  replicas: 4", "  replicas: 2"],
  ]);
  assert.throws(
    () => normalise(pairWith(left, right)),
    (error) => error instanceof ConfigError && /7 GPUs cannot be shared out.*2/.test(error.message),
  );
});

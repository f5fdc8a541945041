import assert from "node:assert/strict";
import test from "node:test";
import { invariant } from "../core/invariant.ts";
import { findGpu, GPU_NAMES } from "./gpus.ts";
import { headParameters, linearParameters, weightBytes } from "./model-spec.ts";
import { findModel, MODEL_NAMES } from "./models.ts";

const published = [
  { name: "Qwen3-0.6B", linear: 0.44, head: 0.156, weightsGb: 1.2 },
  { name: "Llama-3.1-8B", linear: 6.979, head: 0.525, weightsGb: 16.1 },
  { name: "Qwen3-32B", linear: 31.206, head: 0.778, weightsGb: 65.5 },
  { name: "Llama-3.1-70B", linear: 68.451, head: 1.051, weightsGb: 141.1 },
  { name: "gpt-oss-20b", linear: 3.028, head: 0.579, weightsGb: 13.7 },
  { name: "gpt-oss-120b", linear: 4.552, head: 0.579, weightsGb: 65.1 },
];
for (const { name, linear, head, weightsGb } of published) {
  test(`models: ${name} has its published size`, () => {
    const model = findModel(name);
    invariant(model !== undefined, name);
    assert.equal((linearParameters(model) / 1e9).toFixed(3), linear.toFixed(3));
    assert.equal((headParameters(model) / 1e9).toFixed(3), head.toFixed(3));
    assert.ok(Math.abs(weightBytes(model) / 1e9 - weightsGb) <= 0.1);
  });
}

const spellings = [
  ["hf://openai/gpt-oss-20b", "gpt-oss-20b"],
  ["Qwen/Qwen3-0.6B", "Qwen3-0.6B"],
  ["qwen/qwen3-0.6b", "Qwen3-0.6B"],
  ["hf://meta-llama/Meta-Llama-3.1-8B-Instruct:main", "Llama-3.1-8B"],
  ["meta-llama/Llama-2-7b-chat-hf", "Llama-2-7B"],
  ["mistralai/Mistral-Nemo-Instruct-2407", "Mistral-Nemo"],
  ["/models/Yi-34B-Chat/", "Yi-34B"],
];
for (const [spelling = "", name] of spellings) {
  test(`models: ${spelling} is ${name}`, () => {
    assert.equal(findModel(spelling)?.name, name);
  });
}

test("models: unknown names and quantised variants are not guessed", () => {
  for (const name of ["", "gpt-oss", "Qwen3-32B-FP8", "hf://", "__proto__"]) {
    assert.equal(findModel(name), undefined, name);
  }
});

test("models: every listed name is found", () => {
  for (const name of MODEL_NAMES) assert.equal(findModel(name)?.name, name);
});

test("gpus: names are found in any case, unknown ones are not", () => {
  for (const name of GPU_NAMES) assert.equal(findGpu(name.toLowerCase())?.name, name);
  assert.equal(findGpu("H100-MIG"), undefined);
});

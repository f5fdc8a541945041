import assert from "node:assert/strict";
import test from "node:test";
import { ConfigError } from "../core/config-error.ts";
import { invariant } from "../core/invariant.ts";
import { findGpu } from "../engine/gpus.ts";
import { findModel } from "../engine/models.ts";
import { createStepCost, type StepCalibration } from "../engine/step-cost.ts";
import { calibrate, parseMeasurements } from "./calibrate.ts";

const OVERHEAD_MS = 31;

/** What an engine with these constants would measure. */
function measurementsOf(name: string, constants: StepCalibration): object {
  const model = findModel(name);
  const gpu = findGpu("H100");
  invariant(model !== undefined && gpu !== undefined, name);
  const cost = createStepCost(model, gpu, 2, constants);
  const idle = {
    prefillAttentionUs: 0,
    decodes: 0,
    decodeContextTokens: 0,
    sharedContextTokens: 0,
  };
  const prefillMs = (tokens: number): number =>
    cost.stepUs({
      ...idle,
      newTokens: tokens,
      sequences: 1,
      prefillAttentionUs: cost.prefillAttentionUs(tokens, 0),
    }) / 1000;
  const decodeMs = (batch: number): number =>
    cost.stepUs({
      ...idle,
      newTokens: batch,
      sequences: batch,
      decodes: batch,
      decodeContextTokens: 2000 * batch,
    }) / 1000;
  return {
    model: name,
    gpu: "H100",
    tensorParallel: 2,
    prefill8192Ms: prefillMs(8192),
    itlMs: { alone: decodeMs(1), of32: decodeMs(32), contextTokens: 2000 },
    ttft128Ms: prefillMs(128) + OVERHEAD_MS,
  };
}

const constants = { gemmEfficiency: 0.52, weightReadEfficiency: 0.71 };
const cases: readonly [model: string, layerLaunchUs: number][] = [
  // Equal weights are read for 1 and 32 sequences, so launches cannot be told from reads.
  ["Qwen3-32B", 15],
  ["gpt-oss-120b", 40],
];
for (const [model, layerLaunchUs] of cases) {
  test(`calibrate: the constants that ${model} was measured with come back`, () => {
    const raw = measurementsOf(model, { ...constants, layerLaunchUs });
    const fitted = calibrate(parseMeasurements(raw, undefined));
    assert.ok(Math.abs(fitted.gemmEfficiency - 0.52) < 1e-9);
    assert.ok(Math.abs(fitted.weightReadEfficiency - 0.71) < 1e-9);
    assert.ok(Math.abs(fitted.layerLaunchUs - layerLaunchUs) < 1e-6);
    assert.ok(Math.abs(fitted.overheadMs - OVERHEAD_MS) < 1e-6);
  });
}

const faults: readonly [name: string, change: object, path: string][] = [
  ["an unknown model", { model: "mystery-7b" }, "model"],
  ["an unknown GPU", { gpu: "T4" }, "gpu"],
  ["no prefill time", { prefill8192Ms: undefined }, "prefill8192Ms"],
  ["a negative time", { ttft128Ms: -1 }, "ttft128Ms"],
  ["no decode times", { itlMs: 3 }, "itlMs.alone"],
  ["a prefill beyond the GPU's peak", { prefill8192Ms: 10 }, "prefill8192Ms"],
  ["a first token before its step", { ttft128Ms: 0.1 }, "ttft128Ms"],
  [
    "tokens faster than the memory",
    { itlMs: { alone: 0.5, of32: 0.6, contextTokens: 2000 } },
    "itlMs",
  ],
];
for (const [name, change, path] of faults) {
  test(`calibrate: ${name} is a fault at ${path}`, () => {
    const good = measurementsOf("Qwen3-32B", { ...constants, layerLaunchUs: 15 });
    assert.throws(
      () => calibrate(parseMeasurements({ ...good, ...change }, undefined)),
      (error) => error instanceof ConfigError && error.faults[0]?.path === path,
    );
  });
}

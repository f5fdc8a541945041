import { ConfigError, type ConfigFault } from "../core/config-error.ts";
import { findGpu, GPU_NAMES, type GpuSpec } from "../engine/gpus.ts";
import type { ModelSpec } from "../engine/model-spec.ts";
import { findModel, MODEL_NAMES } from "../engine/models.ts";
import { builtinCalibration, createStepCost, type StepCalibration } from "../engine/step-cost.ts";

/** Three measurements of a real engine that serves one request at a time, or 32 together. */
export interface Measurements {
  readonly model: ModelSpec;
  readonly gpu: GpuSpec;
  readonly tensorParallel: number;
  /** To the first token of a prompt of 8192 tokens, on the engine. */
  readonly prefill8192Ms: number;
  /** Between tokens, alone and with 32 sequences, at `contextTokens` each. */
  readonly itlMs: { readonly alone: number; readonly of32: number; readonly contextTokens: number };
  /** To the first token of a prompt of 128 tokens, as a client sees it. */
  readonly ttft128Ms: number;
}

/** What the measurements say of the model's constants. */
export interface Calibration extends StepCalibration {
  readonly model: string;
  readonly gpu: string;
  readonly tensorParallel: number;
  readonly overheadMs: number;
}

/** Fits the constants; throws ConfigError for measurements that no constant explains. */
export function calibrate(measured: Measurements): Calibration {
  const { model, gpu, tensorParallel, itlMs } = measured;
  const decoding = fitDecode(measured);
  const { weightReadEfficiency, layerLaunchUs } = decoding;
  refuseUnless(weightReadEfficiency > 0 && weightReadEfficiency <= 1 && layerLaunchUs >= 0, {
    path: "itlMs",
    message: `${itlMs.alone} and ${itlMs.of32} ms are faster than the memory of ${gpu.name} allows`,
  });
  // The time is linear in 1 / efficiency while the matrix products bound it.
  const prefill = (inverse: number): number =>
    prefillUs(measured, { ...decoding, gemmEfficiency: 1 / inverse }, 8192);
  const inverse = solveLinear(prefill, 1 / gpu.gemmEfficiency, measured.prefill8192Ms * 1000);
  refuseUnless(inverse >= 1, {
    path: "prefill8192Ms",
    message: `${measured.prefill8192Ms} ms are faster than the peak of ${gpu.name} allows`,
  });
  const constants = { ...decoding, gemmEfficiency: 1 / inverse };
  const overheadMs = measured.ttft128Ms - prefillUs(measured, constants, 128) / 1000;
  refuseUnless(overheadMs >= 0, {
    path: "ttft128Ms",
    message: "is shorter than the step that the other measurements imply",
  });
  return { model: model.name, gpu: gpu.name, tensorParallel, ...constants, overheadMs };
}

/** Reads measurements as a user writes them; throws ConfigError with every fault. */
export function parseMeasurements(raw: unknown, ownModel: ModelSpec | undefined): Measurements {
  const faults: ConfigFault[] = [];
  const root = recordOf(raw);
  const itl = recordOf(root["itlMs"]);
  const positive = (
    from: Readonly<Record<string, unknown>>,
    name: string,
    path: string,
  ): number => {
    const value = from[name];
    if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
    faults.push({ path, message: "must be a number above 0" });
    return 1;
  };
  const modelName = String(root["model"]);
  const model = findModel(modelName) ?? ownModel;
  if (model === undefined) {
    const message = `the size of model ${modelName} is not known; describe it with --model-file`;
    faults.push({ path: "model", message, allowed: MODEL_NAMES });
  }
  const gpu = findGpu(String(root["gpu"]));
  if (gpu === undefined) {
    const message = `no GPU is known as ${String(root["gpu"])}`;
    faults.push({ path: "gpu", message, allowed: GPU_NAMES });
  }
  const numbers = {
    tensorParallel: positive(root, "tensorParallel", "tensorParallel"),
    prefill8192Ms: positive(root, "prefill8192Ms", "prefill8192Ms"),
    itlMs: {
      alone: positive(itl, "alone", "itlMs.alone"),
      of32: positive(itl, "of32", "itlMs.of32"),
      contextTokens: positive(itl, "contextTokens", "itlMs.contextTokens"),
    },
    ttft128Ms: positive(root, "ttft128Ms", "ttft128Ms"),
  };
  if (model === undefined || gpu === undefined || faults.length > 0) throw new ConfigError(faults);
  return { model, gpu, ...numbers };
}

/** Below this difference both batches read the same weights, and one constant explains both. */
const SAME_WEIGHTS_RATIO = 1.05;

function fitDecode(measured: Measurements): StepCalibration {
  const { model, gpu, itlMs } = measured;
  const known = builtinCalibration(model, gpu);
  const at = (batch: number, inverse: number, layerLaunchUs: number): number =>
    decodeUs(measured, { ...known, weightReadEfficiency: 1 / inverse, layerLaunchUs }, batch);
  const readUs = (batch: number): number => at(batch, 2, 0) - at(batch, 1, 0);
  const [alone, of32] = [itlMs.alone * 1000, itlMs.of32 * 1000];
  if (readUs(32) / readUs(1) < SAME_WEIGHTS_RATIO) {
    const both = (inverse: number): number =>
      at(1, inverse, known.layerLaunchUs) + at(32, inverse, known.layerLaunchUs);
    const inverse = solveLinear(both, 1 / known.weightReadEfficiency, alone + of32);
    return { ...known, weightReadEfficiency: 1 / inverse };
  }
  // Launches cost both batches alike, so the difference is what the further experts cost.
  const difference = (inverse: number): number => at(32, inverse, 0) - at(1, inverse, 0);
  const inverse = solveLinear(difference, 1 / known.weightReadEfficiency, of32 - alone);
  const layerLaunchUs = (alone - at(1, inverse, 0)) / model.layers;
  return { ...known, weightReadEfficiency: 1 / inverse, layerLaunchUs };
}

/** Argument at which a linear function has the value. */
function solveLinear(use: (x: number) => number, near: number, value: number): number {
  const slope = (use(2 * near) - use(near)) / near;
  return near + (value - use(near)) / slope;
}

function decodeUs(measured: Measurements, constants: StepCalibration, batch: number): number {
  const { model, gpu, tensorParallel, itlMs } = measured;
  return createStepCost(model, gpu, tensorParallel, constants).stepUs({
    newTokens: batch,
    sequences: batch,
    prefillAttentionUs: 0,
    decodes: batch,
    decodeContextTokens: batch * itlMs.contextTokens,
    sharedContextTokens: 0,
  });
}

function prefillUs(measured: Measurements, constants: StepCalibration, tokens: number): number {
  const { model, gpu, tensorParallel } = measured;
  const cost = createStepCost(model, gpu, tensorParallel, constants);
  return cost.stepUs({
    newTokens: tokens,
    sequences: 1,
    prefillAttentionUs: cost.prefillAttentionUs(tokens, 0),
    decodes: 0,
    decodeContextTokens: 0,
    sharedContextTokens: 0,
  });
}

function refuseUnless(condition: boolean, fault: ConfigFault): void {
  if (!condition) throw new ConfigError([fault]);
}

function recordOf(raw: unknown): Readonly<Record<string, unknown>> {
  const isRecord = typeof raw === "object" && raw !== null && !Array.isArray(raw);
  return isRecord ? (raw as Readonly<Record<string, unknown>>) : {};
}

import type { GpuSpec } from "./gpus.ts";
import {
  attentionParameters,
  BF16_BYTES,
  expertParameters,
  fullLayers,
  headParameters,
  kvBytesPerTokenLayer,
  linearParameters,
  type ModelSpec,
} from "./model-spec.ts";

/** What one step computes. The scheduler reuses one object. */
export interface StepLoad {
  /** Tokens of prefill chunks plus one for each decode. */
  newTokens: number;
  /** Prefill chunks plus decodes. */
  sequences: number;
  /** Sum of `prefillAttentionUs` over the chunks. */
  prefillAttentionUs: number;
  decodes: number;
  /** Tokens that the decodes attend to. */
  decodeContextTokens: number;
  /** Those of them that another decode reads from the same physical block. */
  sharedContextTokens: number;
}

/** Time of an engine step, a roofline over matrix products, attention, communication and launches. */
export interface StepCost {
  /** Attention of a chunk of `queryTokens` that follows `contextTokens`. */
  prefillAttentionUs(queryTokens: number, contextTokens: number): number;
  stepUs(load: StepLoad): number;
  /** How much longer each next step of an unchanged decode batch takes: its contexts grow by one token. */
  growthUs(decodes: number): number;
}

/** Constants that a few measurements on one's own hardware replace. */
export interface StepCalibration {
  /** Share of the GPU's peak that large bf16 matrix products reach. */
  readonly gemmEfficiency: number;
  /** Share of the memory bandwidth at which weights are read. */
  readonly weightReadEfficiency: number;
  readonly layerLaunchUs: number;
}

/** What holds without measurements. */
export function builtinCalibration(model: ModelSpec, gpu: GpuSpec): StepCalibration {
  const { weightReadEfficiency } = kindOf(model);
  const { gemmEfficiency } = gpu;
  return { gemmEfficiency, weightReadEfficiency, layerLaunchUs: LAYER_LAUNCH_US };
}

/** Steps of a model on GPUs of one kind. */
export function createStepCost(
  model: ModelSpec,
  gpu: GpuSpec,
  tensorParallel: number,
  calibration: StepCalibration = builtinCalibration(model, gpu),
): StepCost {
  const { hidden, layers, slidingWindow } = model;
  const { gemmEfficiency, weightReadEfficiency, layerLaunchUs } = calibration;
  const kind = kindOf(model);
  const flopsPerUs = (tensorParallel * gpu.flopsPerSecond) / 1e6;
  const bytesPerUs = (tensorParallel * gpu.memoryBytesPerSecond) / 1e6;
  const linearUs = (2 * linearParameters(model)) / (flopsPerUs * gemmEfficiency * kind.gemmRatio);
  const headUs = (2 * headParameters(model)) / (flopsPerUs * gemmEfficiency);
  const attentionUs =
    (4 * model.heads * model.headDim) / (flopsPerUs * kind.prefillAttentionEfficiency);
  const full = fullLayers(model);
  const windowLayers = slidingWindow?.layers ?? 0;
  const windowTokens = slidingWindow?.tokens ?? 0;
  const kvUs = kvBytesPerTokenLayer(model) / (bytesPerUs * KV_READ_EFFICIENCY);
  const readUs = weightReadUs(model, bytesPerUs * weightReadEfficiency);
  const reduceUs =
    (hidden * BF16_BYTES * 2 * (tensorParallel - 1)) /
    tensorParallel /
    ((gpu.linkBytesPerSecond / 1e6) * LINK_EFFICIENCY);
  const fixedUs = STEP_LAUNCH_US + layers * layerLaunchUs;
  return {
    prefillAttentionUs(queryTokens, contextTokens) {
      const meanContext = contextTokens + queryTokens / 2;
      const windowed = windowLayers * Math.min(windowTokens, meanContext);
      return attentionUs * queryTokens * (full * meanContext + windowed);
    },
    stepUs(load) {
      const gemmUs = load.newTokens * linearUs + load.sequences * headUs;
      const chargedTokens =
        load.decodeContextTokens - (1 - SHARED_READ_RATIO) * load.sharedContextTokens;
      const decodeUs = kvUs * (full * chargedTokens + windowLayers * windowTokens * load.decodes);
      const communicationUs =
        tensorParallel > 1 ? 2 * layers * (ALL_REDUCE_US + load.newTokens * reduceUs) : 0;
      return (
        Math.max(gemmUs, readUs(load.newTokens)) +
        load.prefillAttentionUs +
        decodeUs +
        communicationUs +
        fixedUs
      );
    },
    growthUs: (decodes) => kvUs * full * decodes,
  };
}

/** Time to read the weights that a step of `newTokens` tokens touches. */
function weightReadUs(model: ModelSpec, bytesPerUs: number): (newTokens: number) => number {
  const { experts, layers } = model;
  if (experts === undefined) {
    const bytes = (linearParameters(model) + headParameters(model)) * BF16_BYTES;
    return () => bytes / bytesPerUs;
  }
  const alwaysBytes = (layers * attentionParameters(model) + headParameters(model)) * BF16_BYTES;
  const expertBytes = layers * expertParameters(model) * experts.bytesPerParameter;
  const missShare = 1 - experts.active / experts.count;
  // With random routing, n tokens leave an expert unused with probability missShare^n.
  return (newTokens) =>
    (alwaysBytes + expertBytes * experts.count * (1 - missShare ** newTokens)) / bytesPerUs;
}

// The constants below are fitted to vLLM 0.15 to 0.23 on H100 and H200: decode and prefill of Qwen3-32B,
// Llama-3.1 and gpt-oss within 10 % of published measurements.

/** Shares of peak by weight format; `gemmRatio` is relative to dense bf16. */
const DENSE = { gemmRatio: 1, prefillAttentionEfficiency: 0.45, weightReadEfficiency: 0.85 };
const MXFP4_EXPERTS = {
  gemmRatio: 0.47 / 0.65,
  prefillAttentionEfficiency: 0.5,
  weightReadEfficiency: 0.65,
};
function kindOf({ experts }: ModelSpec): typeof DENSE {
  return experts === undefined ? DENSE : MXFP4_EXPERTS;
}

const KV_READ_EFFICIENCY = 0.8;
const LINK_EFFICIENCY = 0.6;
/** Cost of reading a block that another sequence reads too: copies hit the L2 cache. */
const SHARED_READ_RATIO = 0.5;
const STEP_LAUNCH_US = 600;
const LAYER_LAUNCH_US = 15;
const ALL_REDUCE_US = 12;

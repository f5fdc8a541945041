import { ConfigError } from "../core/config-error.ts";
import type { GpuSpec } from "./gpus.ts";
import { fullLayers, kvBytesPerTokenLayer, type ModelSpec, weightBytes } from "./model-spec.ts";

/** What decides how many KV-cache blocks there are. */
export interface KvCapacityFacts {
  readonly model: ModelSpec;
  readonly gpu: GpuSpec;
  readonly tensorParallel: number;
  /** Share of the GPU's memory that the engine may use, 0..1. */
  readonly gpuMemoryUtilization: number;
  readonly blockTokens: number;
}

/** KV-cache blocks that fit beside the weights; throws ConfigError when the model does not fit. */
export function kvBlockCount(facts: KvCapacityFacts): number {
  const { model, gpu, tensorParallel, gpuMemoryUtilization, blockTokens } = facts;
  const usableBytes = gpuMemoryUtilization * gpu.memoryBytes;
  const neededBytes = weightBytes(model) / tensorParallel + RUNTIME_BYTES;
  // More GPUs than KV heads hold copies of the heads.
  const shards = Math.min(tensorParallel, model.kvHeads);
  const blockBytes = (kvCacheBytesPerToken(model) * blockTokens) / shards;
  const blocks = Math.floor((usableBytes - neededBytes) / blockBytes);
  if (blocks >= 2) return blocks;
  throw new ConfigError([
    {
      path: "",
      message:
        `${model.name} does not fit: it needs ${gib(neededBytes + 2 * blockBytes)} GiB on each of ` +
        `${tensorParallel} GPUs and there are ${gib(usableBytes)} GiB (${gpu.name} at a ` +
        `utilization of ${gpuMemoryUtilization}); use more or larger GPUs`,
    },
  ]);
}

/** GPU memory of one cached token, over all GPUs. */
export function kvCacheBytesPerToken(model: ModelSpec): number {
  const layers = fullLayers(model) + SLIDING_LAYER_SHARE * (model.slidingWindow?.layers ?? 0);
  return layers * kvBytesPerTokenLayer(model);
}

/** Bytes as GiB with one decimal. */
export function gib(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(1);
}

/** Activations, CUDA graphs and buffers of vLLM 0.15 on each GPU; fits published block counts within 1.6 %. */
const RUNTIME_BYTES = 2.2e9;
/** What the hybrid KV manager keeps of a sliding layer, relative to a full one; 5-10 % are reported. */
const SLIDING_LAYER_SHARE = 0.1;

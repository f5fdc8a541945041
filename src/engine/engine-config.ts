import { ConfigError, type ConfigFault } from "../core/config-error.ts";
import type { GpuSpec } from "./gpus.ts";
import { gib, kvBlockCount, kvCacheBytesPerToken } from "./kv-capacity.ts";
import type { ModelSpec } from "./model-spec.ts";
import type { StepCalibration } from "./step-cost.ts";

/** Everything that makes an engine behave as it does; vLLM's arguments by their meaning. */
export interface EngineConfig {
  readonly model: ModelSpec;
  readonly gpu: GpuSpec;
  readonly tensorParallel: number;
  /** Tokens in a KV-cache block (`--block-size`). */
  readonly blockTokens: number;
  /** KV-cache blocks with vLLM's reserved one (`num_gpu_blocks`). */
  readonly blockCount: number;
  readonly maxModelLen: number;
  /** Share of the GPU's memory that the engine may use, 0..1. */
  readonly gpuMemoryUtilization: number;
  readonly maxNumSeqs: number;
  readonly maxNumBatchedTokens: number;
  readonly isPrefixCachingEnabled: boolean;
  /** `kv_load_failure_policy`: what happens to a request whose blocks did not arrive. */
  readonly kvLoadFailurePolicy: "fail" | "recompute";
  /** How long held blocks wait for their reader (`VLLM_NIXL_ABORT_REQUEST_TIMEOUT`). */
  readonly kvHoldUs: number;
  readonly isKvEventsEnabled: boolean;
  /** Undefined for the built-in constants of the step cost. */
  readonly calibration: StepCalibration | undefined;
}

/** A model on a GPU; whatever is undefined gets vLLM's default. */
export type EngineSettings = Pick<EngineConfig, "model" | "gpu"> & {
  readonly [Name in Exclude<keyof EngineConfig, "model" | "gpu">]?: EngineConfig[Name] | undefined;
};

/** Fills vLLM's defaults; throws ConfigError for what vLLM would refuse to start with. */
export function fillEngineConfig(settings: EngineSettings): EngineConfig {
  const { model, gpu } = settings;
  const batchDefaults = batchDefaultsOf(gpu);
  const maxNumBatchedTokens = settings.maxNumBatchedTokens ?? batchDefaults.tokens;
  const sized = {
    model,
    gpu,
    tensorParallel: settings.tensorParallel ?? 1,
    blockTokens: settings.blockTokens ?? 16,
    maxModelLen: settings.maxModelLen ?? model.contextTokens,
    gpuMemoryUtilization: settings.gpuMemoryUtilization ?? 0.9,
    maxNumSeqs: settings.maxNumSeqs ?? Math.min(batchDefaults.sequences, maxNumBatchedTokens),
    maxNumBatchedTokens,
    isPrefixCachingEnabled: settings.isPrefixCachingEnabled ?? true,
    kvLoadFailurePolicy: settings.kvLoadFailurePolicy ?? "fail",
    kvHoldUs: settings.kvHoldUs ?? 480e6,
    isKvEventsEnabled: settings.isKvEventsEnabled ?? false,
    calibration: settings.calibration,
  };
  refuse([...numberFaults(sized), ...relationFaults(sized)]);
  const config = { ...sized, blockCount: settings.blockCount ?? kvBlockCount(sized) };
  refuse(capacityFaults(config));
  return config;
}

type SizedConfig = Omit<EngineConfig, "blockCount">;

/** `vllm serve` starts with larger batches where the GPU has 70 GiB and is no A100. */
function batchDefaultsOf(gpu: GpuSpec): { tokens: number; sequences: number } {
  const isLarge = gpu.memoryBytes >= 70 * 2 ** 30 && gpu.name !== "A100";
  return isLarge ? { tokens: 8192, sequences: 1024 } : { tokens: 2048, sequences: 256 };
}

function numberFaults(config: SizedConfig): ConfigFault[] {
  const counts = [
    "tensorParallel",
    "blockTokens",
    "maxModelLen",
    "maxNumSeqs",
    "maxNumBatchedTokens",
    "kvHoldUs",
  ] as const;
  const faults: ConfigFault[] = counts
    .filter((name) => !Number.isSafeInteger(config[name]) || config[name] < 1)
    .map((name) => ({
      path: name,
      message: `must be a whole number above 0, not ${config[name]}`,
    }));
  const share = config.gpuMemoryUtilization;
  if (!(share > 0 && share <= 1)) {
    faults.push({ path: "gpuMemoryUtilization", message: `must be above 0 and at most 1` });
  }
  return faults;
}

function relationFaults(config: SizedConfig): ConfigFault[] {
  const { model, tensorParallel, maxModelLen, maxNumSeqs, maxNumBatchedTokens } = config;
  const faults: ConfigFault[] = [];
  if (model.heads % tensorParallel !== 0) {
    faults.push({
      path: "tensorParallel",
      message: `must divide the ${model.heads} attention heads of ${model.name}`,
    });
  }
  if (maxModelLen > model.contextTokens) {
    faults.push({
      path: "maxModelLen",
      message: `is above the ${model.contextTokens} tokens of ${model.name}`,
    });
  }
  if (maxNumBatchedTokens < maxNumSeqs) {
    faults.push({
      path: "maxNumBatchedTokens",
      message: `(${maxNumBatchedTokens}) must be at least maxNumSeqs (${maxNumSeqs})`,
    });
  }
  return faults;
}

function capacityFaults(config: EngineConfig): ConfigFault[] {
  const { model, blockCount, blockTokens, maxModelLen } = config;
  if (!Number.isSafeInteger(blockCount) || blockCount < 2) {
    return [{ path: "blockCount", message: "must be a whole number above 1" }];
  }
  const poolTokens = (blockCount - 1) * blockTokens;
  if (maxModelLen <= poolTokens) return [];
  const perToken = kvCacheBytesPerToken(model);
  return [
    {
      path: "maxModelLen",
      message:
        `a sequence of ${maxModelLen} tokens needs ${gib(maxModelLen * perToken)} GiB of KV cache ` +
        `and there are ${gib(poolTokens * perToken)} GiB; set it to at most ${poolTokens} or ` +
        `raise gpuMemoryUtilization`,
    },
  ];
}

function refuse(faults: readonly ConfigFault[]): void {
  if (faults.length > 0) throw new ConfigError(faults);
}

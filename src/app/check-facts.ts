import type { Facts } from "../check/facts.ts";
import { ConfigError } from "../core/config-error.ts";
import { type EngineConfig, fillEngineConfig } from "../engine/engine-config.ts";
import { findGpu, GPU_NAMES, type GpuSpec } from "../engine/gpus.ts";
import { type ModelSpec, weightBytes } from "../engine/model-spec.ts";
import { findModel } from "../engine/models.ts";
import type { Pool } from "../manifest/service.ts";

/** Model and GPU facts for `check`; without a GPU all known ones are considered. */
export function checkFacts(gpuName: string | undefined): Facts {
  const names = gpuName === undefined ? GPU_NAMES : [gpuName];
  const gpus = names.flatMap((name) => findGpu(name) ?? []);
  if (gpus.length === 0) {
    throw new ConfigError([
      { path: "--gpu", message: `no GPU is known as ${gpuName}`, allowed: GPU_NAMES },
    ]);
  }
  return {
    model(nameOrUri) {
      const model = findModel(nameOrUri);
      if (model === undefined) return undefined;
      const { name, contextTokens } = model;
      return { name, contextTokens, weightBytes: weightBytes(model) };
    },
    kvCaches(service, pool) {
      const model = findModel(service.modelName) ?? findModel(service.modelUri);
      if (model === undefined) return [];
      return gpus.flatMap((gpu) => {
        const config = engineOn(gpu, model, pool);
        if (config === undefined) return [];
        return { gpu: gpu.name, blockCount: config.blockCount, blockTokens: config.blockTokens };
      });
    },
  };
}

/** Undefined where the engine would refuse to start. */
function engineOn(gpu: GpuSpec, model: ModelSpec, pool: Pool): EngineConfig | undefined {
  const { engineArguments, parallelism } = pool;
  try {
    return fillEngineConfig({
      model,
      gpu,
      tensorParallel: engineArguments.tensorParallelSize ?? parallelism.tensor,
      blockTokens: engineArguments.blockSize,
      maxModelLen: engineArguments.maxModelLen,
      gpuMemoryUtilization: engineArguments.gpuMemoryUtilization,
    });
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

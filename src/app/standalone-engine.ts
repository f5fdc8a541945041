import { ConfigError } from "../core/config-error.ts";
import type { Log } from "../core/log.ts";
import { fillEngineConfig } from "../engine/engine-config.ts";
import { findGpu, GPU_NAMES } from "../engine/gpus.ts";
import type { ModelSpec } from "../engine/model-spec.ts";
import { findModel, MODEL_NAMES } from "../engine/models.ts";
import type { KvEventSocketOptions } from "../engine-server/kv-event-socket.ts";
import { scaledClock } from "../engine-server/scaled-clock.ts";
import { type EngineServer, startEngineServer } from "../engine-server/start-engine-server.ts";
import { WasmBlockHasher } from "../request/wasm-block-hasher.ts";

/** One simulated vLLM by itself, as `switchyard engine` runs it. */
export interface StandaloneEngineOptions {
  readonly model: string;
  readonly gpu: string;
  readonly host: string;
  readonly port: number;
  readonly timeScale: number;
  readonly seed: number;
  readonly link: "rdma" | "tcp";
  /** As with `--kv-transfer-config` naming NixlConnector. */
  readonly isKvConnectorEnabled: boolean;
  readonly ownModel: ModelSpec | undefined;
  readonly tensorParallel?: number | undefined;
  readonly blockTokens?: number | undefined;
  readonly maxModelLen?: number | undefined;
  readonly gpuMemoryUtilization?: number | undefined;
  readonly maxNumSeqs?: number | undefined;
  readonly maxNumBatchedTokens?: number | undefined;
  /** Undefined without `--kv-events-config`, or where it turns events off. */
  readonly kvEventSocket?: KvEventSocketOptions | undefined;
  readonly log: Log;
}

/** Starts it; throws ConfigError for a model or GPU that is not known or does not fit. */
export function startStandaloneEngine(options: StandaloneEngineOptions): Promise<EngineServer> {
  const model = options.ownModel ?? findModel(options.model);
  if (model === undefined) {
    const message = `the size of ${options.model} is not known; describe it with --model-file`;
    throw new ConfigError([{ path: "--model", message, allowed: MODEL_NAMES }]);
  }
  const gpu = findGpu(options.gpu);
  if (gpu === undefined) {
    const message = `no GPU is known as ${options.gpu}`;
    throw new ConfigError([{ path: "--gpu", message, allowed: GPU_NAMES }]);
  }
  const { host, port, timeScale, seed, isKvConnectorEnabled, log } = options;
  const { tensorParallel, blockTokens, maxModelLen } = options;
  const { gpuMemoryUtilization, maxNumSeqs, maxNumBatchedTokens, kvEventSocket } = options;
  return startEngineServer({
    name: options.model,
    host,
    port,
    modelName: options.model,
    config: fillEngineConfig({
      model,
      gpu,
      tensorParallel,
      blockTokens,
      maxModelLen,
      gpuMemoryUtilization,
      maxNumSeqs,
      maxNumBatchedTokens,
      isKvEventsEnabled: kvEventSocket !== undefined,
    }),
    hasher: new WasmBlockHasher(),
    clock: scaledClock(timeScale),
    timeScale,
    seed,
    link: { kind: options.link },
    isKvConnectorEnabled,
    kvEventSocket,
    log,
  });
}

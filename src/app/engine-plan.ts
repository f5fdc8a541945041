import { ConfigError } from "../core/config-error.ts";
import { type EngineConfig, fillEngineConfig } from "../engine/engine-config.ts";
import { findGpu, GPU_NAMES } from "../engine/gpus.ts";
import type { ModelSpec } from "../engine/model-spec.ts";
import { findModel, MODEL_NAMES } from "../engine/models.ts";
import type { KvLink } from "../engine-server/kv-link.ts";
import type { Pool, PoolRole, Service, Transport } from "../manifest/service.ts";
import { type EndpointPlan, planEndpoints, poolKey } from "./endpoint-plan.ts";
import { checkSettings, type ServiceSetting, settingFor } from "./per-service.ts";

/** One simulated engine to start, as plain data: it travels to the engine host's process. */
export interface EnginePlan extends EndpointPlan {
  /** Key of the pool that routes to it. */
  readonly pool: string;
  readonly modelName: string;
  readonly role: PoolRole;
  readonly config: EngineConfig;
  readonly link: KvLink;
  readonly isKvConnectorEnabled: boolean;
  /** The decode stage of a split service is reached through its sidecar. */
  readonly hasSidecar: boolean;
}

/** What the command line may change about the engines. */
export interface EngineSettingsGiven {
  readonly replicas: readonly ServiceSetting<number>[];
  readonly prefillReplicas: readonly ServiceSetting<number>[];
  readonly gpus: readonly ServiceSetting<string>[];
  /** A model that the tables do not have. */
  readonly model: ModelSpec | undefined;
}

/** The engines of all services, and what an operator should know about them. */
export interface EnginePlans {
  readonly engines: readonly EnginePlan[];
  readonly warnings: readonly string[];
}

const GPU_UNLESS_SET = "H100";

/** Plans every engine; throws ConfigError for a model, GPU or size that cannot be. */
export function planEngines(services: readonly Service[], given: EngineSettingsGiven): EnginePlans {
  checkSettings("--replicas", given.replicas, services);
  checkSettings("--prefill-replicas", given.prefillReplicas, services);
  checkSettings("--gpu", given.gpus, services);
  const engines: EnginePlan[] = [];
  const warnings: string[] = [];
  for (const service of services) {
    const pool = poolKey(service, services);
    const link = linkOf(service);
    if (service.prefill !== undefined) warnings.push(...splitWarnings(service, link));
    const replicas = settingFor(given.replicas, service) ?? service.main.replicas;
    engines.push(...poolEngines(service, service.main, { pool, replicas, link, given }));
    if (service.prefill === undefined) continue;
    const prefillReplicas = settingFor(given.prefillReplicas, service) ?? service.prefill.replicas;
    engines.push(
      ...poolEngines(service, service.prefill, { pool, replicas: prefillReplicas, link, given }),
    );
  }
  return { engines, warnings };
}

function poolEngines(
  service: Service,
  pool: Pool,
  plan: { pool: string; replicas: number; link: KvLink; given: EngineSettingsGiven },
): readonly EnginePlan[] {
  const config = engineConfig(service, pool, plan.given);
  return planEndpoints(plan.pool, pool, plan.replicas).map((endpoint) => ({
    ...endpoint,
    pool: plan.pool,
    modelName: service.modelName,
    role: pool.role,
    config,
    link: plan.link,
    isKvConnectorEnabled: pool.engineArguments.kvTransfer !== undefined,
    hasSidecar: pool.role === "decode",
  }));
}

function engineConfig(service: Service, pool: Pool, given: EngineSettingsGiven): EngineConfig {
  const gpuName = settingFor(given.gpus, service) ?? GPU_UNLESS_SET;
  const gpu = findGpu(gpuName);
  if (gpu === undefined) {
    throw new ConfigError([
      { path: "--gpu", message: `no GPU is known as ${gpuName}`, allowed: GPU_NAMES },
    ]);
  }
  const model = modelOf(service, given.model);
  const { engineArguments, parallelism, position } = pool;
  const tensorParallel = engineArguments.tensorParallelSize ?? parallelism.tensor;
  if (pool.gpuCount > 0 && tensorParallel > pool.gpuCount) {
    const message = `tensor parallelism ${tensorParallel} needs ${tensorParallel} GPUs, the ${pool.role} pool's limits give ${pool.gpuCount}`;
    throw new ConfigError([{ path: "nvidia.com/gpu", message, position }]);
  }
  try {
    return fillEngineConfig({
      model,
      gpu,
      tensorParallel,
      blockTokens: engineArguments.blockSize,
      maxModelLen: engineArguments.maxModelLen,
      gpuMemoryUtilization: engineArguments.gpuMemoryUtilization,
      maxNumSeqs: engineArguments.maxNumSeqs,
      maxNumBatchedTokens: engineArguments.maxNumBatchedTokens,
      isPrefixCachingEnabled: engineArguments.isPrefixCachingEnabled,
      kvLoadFailurePolicy: engineArguments.kvTransfer?.loadFailurePolicy,
      isKvEventsEnabled: engineArguments.isKvEventsEnabled,
    });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(
      error.faults.map((fault) => ({
        ...fault,
        path: `${service.name} (${pool.role} pool): ${fault.path}`,
        position,
      })),
    );
  }
}

function modelOf(service: Service, own: ModelSpec | undefined): ModelSpec {
  const names = [service.modelName, service.modelUri].map((name) => name.toLowerCase());
  if (own !== undefined && names.some((name) => name.endsWith(own.name.toLowerCase()))) return own;
  const known = findModel(service.modelName) ?? findModel(service.modelUri) ?? own;
  if (known !== undefined) return known;
  const message = `the size of model ${service.modelName} is not known; describe it with --model-file, or use one of: ${MODEL_NAMES.join(", ")}`;
  throw new ConfigError([{ path: "spec.model", message, position: service.position }]);
}

/** Blocks travel as fast as the worse of the two ends allows. */
function linkOf(service: Service): KvLink {
  const ends: Transport[] = [service.main.transport];
  if (service.prefill !== undefined) ends.push(service.prefill.transport);
  const missing = ends.find((end) => end.kind === "none");
  if (missing !== undefined) return { kind: "none", reason: missing.reason };
  return ends.some((end) => end.kind === "tcp") ? { kind: "tcp" } : { kind: "rdma" };
}

function splitWarnings(service: Service, link: KvLink): readonly string[] {
  const warnings: string[] = [];
  if (link.kind === "none") {
    warnings.push(
      `${service.name}: KV cache cannot be moved from prefill to decode: ${link.reason}. ` +
        "Each split request's transfer fails, and kv_load_failure_policy decides what follows",
    );
  }
  for (const pool of [service.main, service.prefill]) {
    if (pool === undefined || pool.engineArguments.kvTransfer !== undefined) continue;
    warnings.push(
      `${service.name}: the ${pool.role} pool has no --kv-transfer-config, so prompts are computed twice`,
    );
  }
  return warnings;
}

import type { ConfigNote } from "../config/router-config.ts";
import type { SourceNode } from "../config/source-node.ts";
import { mainContainer, readProbe, readStringMap } from "./container.ts";
import { readCount, readEngineArguments } from "./engine-arguments.ts";
import { readEngineEnvironment } from "./engine-environment.ts";
import { type EngineFlag, parseEngineFlags } from "./engine-flags.ts";
import type { Parallelism, Pool, PoolRole, Volume } from "./service.ts";
import type { ObjectMeta } from "./template-text.ts";
import { transportOf } from "./transport.ts";

/** Fields of a workload: of `spec` for the main pool, of `spec.prefill` for the prefill pool. */
export const WORKLOAD_FIELDS: readonly string[] = [
  "replicas",
  "scaling",
  "parallelism",
  "template",
  "worker",
  "labels",
  "annotations",
  "kvCacheOffloading",
  "rolloutStrategy",
];

/** What a pool is read with. */
export interface PoolContext {
  readonly role: PoolRole;
  readonly meta: ObjectMeta;
  /** Annotations of the service, which reach the pods of every pool. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly notes: ConfigNote[];
}

/** Reads one workload; its field names are checked by the caller. */
export function readPool(node: SourceNode, context: PoolContext): Pool {
  const { notes } = context;
  for (const name of ["scaling", "worker", "kvCacheOffloading", "rolloutStrategy"]) {
    const unused = node.at(name);
    if (unused !== undefined)
      notes.push({ message: `${name} has no effect here`, position: unused.position });
  }
  const template = node.at("template");
  const container = mainContainer(template, notes);
  const { env, words } = readEngineEnvironment(container, context.meta);
  const requests = readStringMap(container?.at("resources", "requests"));
  const limits = readStringMap(container?.at("resources", "limits"));
  const extendedResources = Object.fromEntries(
    Object.entries({ ...requests, ...limits }).filter(
      ([name]) => name.includes("/") && !isGpu(name),
    ),
  );
  const annotations = { ...context.annotations, ...readStringMap(node.at("annotations")) };
  return {
    role: context.role,
    replicas: node.at("replicas")?.integer(0) ?? 1,
    parallelism: readParallelism(node.at("parallelism"), parseEngineFlags(words), notes),
    requests,
    limits,
    gpuCount: readGpuCount(container?.at("resources", "limits")),
    extendedResources,
    volumes: readVolumes(template?.at("volumes")),
    networks: annotations["k8s.v1.cni.cncf.io/networks"],
    env,
    engineArguments: readEngineArguments(words, notes),
    livenessProbe: readProbe(container?.at("livenessProbe")),
    tolerations: (template?.at("tolerations")?.items() ?? []).map(({ value }) => value),
    transport: transportOf({
      ucxTls: env.findLast(({ name }) => name === "UCX_TLS")?.value,
      hasRdmaDevice: Object.entries(extendedResources).some(
        ([name, count]) => name.startsWith("rdma/") && count !== "0",
      ),
    }),
    position: node.position,
  };
}

/** Resource names by which vendors' device plugins count whole GPUs. */
const GPU_RESOURCES: ReadonlySet<string> = new Set([
  "nvidia.com/gpu",
  "amd.com/gpu",
  "gpu.intel.com/i915",
  "gpu.intel.com/xe",
  "habana.ai/gaudi",
]);

function isGpu(resource: string): boolean {
  return GPU_RESOURCES.has(resource);
}

function readGpuCount(limits: SourceNode | undefined): number {
  let gpuCount = 0;
  for (const [name, node] of limits?.entries() ?? []) {
    if (!isGpu(name)) continue;
    if (/^\d{1,4}$/.test(String(node.value))) gpuCount += Number(node.value);
    else node.fault("must be a whole number of GPUs");
  }
  return gpuCount;
}

const PARALLELISM_FIELDS = ["tensor", "pipeline", "data", "dataLocal", "dataRPCPort", "expert"];

/**
 * KServe appends the user's arguments to those that it makes of `parallelism`, so an argument
 * wins.
 */
function readParallelism(
  node: SourceNode | undefined,
  flags: ReadonlyMap<string, EngineFlag>,
  notes: ConfigNote[],
): Parallelism {
  const fields = node?.entries(PARALLELISM_FIELDS);
  const degree = (name: "tensor" | "pipeline" | "data"): number => {
    const field = fields?.get(name);
    const written = field?.integer(1);
    const flag = flags.get(`${name}-parallel-size`);
    // The tensor argument's own faults are told where all engine arguments are read.
    const argued = flag !== undefined && /^\d+$/.test(flag.value) ? readCount(flag) : undefined;
    if (field !== undefined && argued !== undefined && written !== argued) {
      const message = `--${name}-parallel-size ${argued} overrides parallelism.${name}`;
      notes.push({ message, position: field.position });
    }
    return argued ?? written ?? 1;
  };
  return { tensor: degree("tensor"), pipeline: degree("pipeline"), data: degree("data") };
}

function readVolumes(node: SourceNode | undefined): readonly Volume[] {
  return (node?.items() ?? []).flatMap((item) => {
    const fields = item.entries();
    if (fields === undefined) return [];
    const name = fields.get("name");
    if (name === undefined) item.faultAt(["name"], "is required");
    const source = [...fields.keys()].find((key) => key !== "name");
    return {
      name: name?.text() ?? "",
      // Kubernetes' default source.
      source: source ?? "emptyDir",
      claimName: item.at("persistentVolumeClaim", "claimName")?.text(),
    };
  });
}

import { forManifest, forPools, forSplit } from "./for-manifest.ts";
import { quantity } from "./quantity.ts";
import type { Finding, Rule } from "./rule.ts";
import { containerPosition, type Manifest, type PoolView, type Subject } from "./subject.ts";

/** Rules about GPUs, memory, processors and where endpoints are placed. */
export const RESOURCE_RULES: readonly Rule<Subject>[] = [
  {
    id: "F1",
    severity: "error",
    group: "F",
    title: "fewer GPUs than the engine spreads over",
    why:
      "vLLM stops at start when tensor times pipeline times local data parallelism is " +
      "more than the GPUs it sees.",
    fix: "Set the GPU limit to that product.",
    check: forPools((view) => {
      const { gpuCount } = view.pool;
      const position = containerPosition(view, "resources", "limits");
      if (gpuCount === 0) {
        const message = "no GPU in the limits: the engine runs on the processor, or not at all";
        return [{ message, position, severity: "warning" }];
      }
      const needed = gpusNeeded(view);
      if (needed <= gpuCount) return [];
      return [
        { message: `the engine spreads over ${needed} GPUs, the limit is ${gpuCount}`, position },
      ];
    }),
  },
  {
    id: "F2",
    severity: "warning",
    group: "F",
    title: "memory below the model's weights",
    why:
      "Weights pass through main memory on their way to the GPU, beside vLLM itself and " +
      "/dev/shm: the container is killed while it loads, or crawls through the page " +
      "cache.",
    fix: "Give at least the weights' size plus 8Gi.",
    check: forPools((view, { facts }, { service }) => {
      const model = facts.model(service.modelName) ?? facts.model(service.modelUri);
      const memory = view.pool.limits["memory"];
      const bytes = quantity(memory);
      if (model === undefined || bytes === undefined || bytes >= model.weightBytes) return [];
      const message =
        `memory ${memory}, and the weights of ${model.name} have ` +
        `${(model.weightBytes / 2 ** 30).toFixed(1)} GiB`;
      return [{ message, position: containerPosition(view, "resources", "limits", "memory") }];
    }),
  },
  {
    id: "F3",
    severity: "warning",
    group: "F",
    title: "few processors for vLLM",
    why:
      "API server, engine loop and detokeniser are processes of their own: on one " +
      "processor they wait for each other and the GPU waits for them.",
    fix: "Give two processors and one for each GPU.",
    check: forPools((view) => {
      const cpu = view.pool.limits["cpu"] ?? view.pool.requests["cpu"];
      const cpus = quantity(cpu);
      const wanted = 2 + view.pool.gpuCount;
      if (cpus === undefined || cpus >= wanted || view.pool.gpuCount === 0) return [];
      const field = view.pool.limits["cpu"] === undefined ? "requests" : "limits";
      return [
        {
          message: `cpu ${cpu} for an engine with ${view.pool.gpuCount} GPU: ${wanted} keep it busy`,
          position: containerPosition(view, "resources", field, "cpu"),
          severity: cpus <= 1 ? "warning" : "advice",
        },
      ];
    }),
  },
  {
    id: "F4",
    severity: "error",
    group: "F",
    title: "requests and limits that differ",
    why:
      "Kubernetes refuses extended resources (GPUs, rdma/*) whose request is not the " +
      "limit; with other resources the pod is Burstable and evicted earlier.",
    fix: "Write the same value in both, or the limit alone.",
    check: forPools((view) =>
      Object.entries(view.pool.requests).flatMap(([name, request]) => {
        const limit = view.pool.limits[name];
        const position = containerPosition(view, "resources", "requests", name);
        if (quantity(limit) === quantity(request)) return [];
        if (name.includes("/")) {
          return [{ message: `${name}: request ${request}, limit ${limit ?? "none"}`, position }];
        }
        if (limit === undefined) return [];
        const message = `${name}: request ${request}, limit ${limit}: the pod is Burstable`;
        return [{ message, position, severity: "advice" as const }];
      }),
    ),
  },
  {
    id: "F11",
    severity: "warning",
    group: "F",
    title: "toleration of the GPU taint",
    why:
      "GPU nodes usually carry a taint: endpoints without the toleration stay Pending, " +
      "and prefill inherits nothing from decode.",
    fix: "Repeat the toleration in the templates of both pools.",
    check: forManifest(tolerationFindings),
  },
  {
    id: "F12",
    severity: "advice",
    group: "F",
    title: "nothing spreads the endpoints",
    why:
      "Without anti-affinity or spread constraints all endpoints may stand on one node, " +
      "and go with it.",
    fix: "Add topologySpreadConstraints over kubernetes.io/hostname.",
    check: forPools((view) => {
      const isSpread = ["affinity", "topologySpreadConstraints"].some(
        (field) => view.node.at("template", field) !== undefined,
      );
      if (view.pool.replicas < 2 || isSpread) return [];
      const message = `nothing keeps the ${view.pool.replicas} endpoints on different nodes`;
      return [{ message, position: view.node.positionOf(["replicas"]) }];
    }),
  },
  {
    id: "F13",
    severity: "warning",
    group: "F",
    title: "shared memory of a tensor-parallel engine",
    why: "NCCL passes data between GPUs of a pod through /dev/shm; the presets give it 1Gi.",
    fix: "Declare the volume dshm as emptyDir with medium Memory and some GiB.",
    check: forPools((view) =>
      view.pool.parallelism.tensor < 2 || view.pool.volumes.some(({ name }) => name === "dshm")
        ? []
        : [
            {
              message:
                `tensor parallelism ${view.pool.parallelism.tensor} with the preset's ` +
                "1Gi of /dev/shm",
              position: view.node.positionOf(["template"]),
            },
          ],
    ),
  },
  {
    id: "F10",
    severity: "warning",
    group: "F",
    title: "picker that ends before the engines it serves",
    why:
      "While endpoints drain, their requests still need the picker; one that is killed " +
      "first cuts them off.",
    fix: "Set the scheduler's terminationGracePeriodSeconds to at least the engines'.",
    check: forManifest(({ root, main }) => {
      const field = "terminationGracePeriodSeconds";
      const picker = root.at("spec", "router", "scheduler", "template", field);
      const engine = main.node.at("template", field);
      const [pickerSeconds, engineSeconds] = [seconds(picker?.value), seconds(engine?.value)];
      if (pickerSeconds >= engineSeconds) return [];
      const message = `the picker ends after ${pickerSeconds} s, engines after ${engineSeconds} s`;
      return [{ message, position: (picker ?? engine)?.position }];
    }),
  },
  {
    id: "G2",
    severity: "advice",
    group: "G",
    title: "prefill keeps its model elsewhere than decode",
    why:
      "Nothing is inherited from the decode template: a claim on one pool leaves the " +
      "other to download at every start.",
    fix: "Repeat the volume in spec.prefill.template.",
    check: forSplit(({ decode, prefill }) => {
      const has = (view: PoolView): boolean =>
        view.pool.volumes.some(({ name }) => name === "kserve-provision-location");
      if (has(decode) === has(prefill)) return [];
      const view = has(decode) ? prefill : decode;
      const message = `the ${view.pool.role} pool has no volume kserve-provision-location, the other has`;
      return [{ message, position: view.node.positionOf(["template"]) }];
    }),
  },
];

/** KServe's default grace period. */
const GRACE_SECONDS = 60;

function seconds(value: unknown): number {
  return typeof value === "number" ? value : GRACE_SECONDS;
}

function gpusNeeded({ pool, node }: PoolView): number {
  const { tensor, pipeline, data } = pool.parallelism;
  // Without workers every stage and rank is on this pod.
  const isOnePod = node.at("worker") === undefined;
  const local = Number(node.at("parallelism", "dataLocal")?.value ?? (isOnePod ? data : 1));
  return tensor * (isOnePod ? pipeline : 1) * local;
}

function tolerationFindings({ main, prefill }: Manifest): readonly Finding[] {
  const has = ({ pool }: PoolView): boolean => pool.tolerations.length > 0;
  const views = [main, ...(prefill === undefined ? [] : [prefill])];
  const missing = views.filter((view) => view.pool.gpuCount > 0 && !has(view));
  if (missing.length === 0) return [];
  const isUneven = missing.length < views.length;
  return missing.map(({ pool, node }) => ({
    message: isUneven
      ? `the ${pool.role} pool tolerates no taint, the other pool does`
      : "the endpoints ask for GPUs and tolerate no taint",
    position: node.positionOf(["template"]),
    severity: isUneven ? "warning" : "advice",
  }));
}

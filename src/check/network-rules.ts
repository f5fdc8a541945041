import { forManifest, forPools, forSplit } from "./for-manifest.ts";
import { onTargets, servingFails } from "./on-targets.ts";
import type { Finding, Rule } from "./rule.ts";
import {
  containerPosition,
  envPosition,
  envValue,
  type PoolView,
  type Subject,
} from "./subject.ts";

const NETWORKS = "k8s.v1.cni.cncf.io/networks";
const ROCE = "KSERVE_INFER_ROCE";

/** Rules about RDMA devices, UCX and secondary networks. */
export const NETWORK_RULES: readonly Rule<Subject>[] = [
  {
    id: "E1",
    severity: "error",
    group: "E",
    title: "no transport between hosts",
    why:
      "UCX_TLS is a list of what is allowed: without tcp in it and without an RDMA device " +
      "a transfer fails, it does not become slow.",
    fix: "Add an rdma/* resource to the pool, or tcp to UCX_TLS.",
    check: forSplit(({ decode, prefill }) =>
      [decode, prefill].flatMap((view) =>
        view.pool.transport.kind === "none"
          ? [{ message: view.pool.transport.reason, position: envPosition(view, "UCX_TLS") }]
          : [],
      ),
    ),
  },
  {
    id: "E2",
    severity: "error",
    group: "E",
    title: "RDMA device on one side",
    why: "Both ends need one: the side without it cannot register memory for the other.",
    fix: "Give both pools the same rdma/* resource.",
    check: forSplit(({ decode, prefill }) => {
      if (rdmaCount(decode) > 0 === rdmaCount(prefill) > 0) return [];
      const view = rdmaCount(decode) > 0 ? prefill : decode;
      const message = `the ${view.pool.role} pool has no rdma/* resource, the other has`;
      return [{ message, position: containerPosition(view, "resources") }];
    }),
  },
  {
    id: "E3",
    severity: "warning",
    group: "E",
    title: "RDMA device and network that come together",
    why:
      "The device needs an interface with an address on its network; the network without " +
      "the device is plain sockets.",
    fix: `Set the annotation ${NETWORKS} and the rdma/* resource together.`,
    check: forPools((view, _subject, { root }) => {
      const hasDevice = rdmaCount(view) > 0;
      const hasNetwork = view.pool.networks !== undefined;
      if (hasDevice === hasNetwork) return [];
      return hasDevice
        ? [{ message: `rdma/* without ${NETWORKS}`, position: rdmaPosition(view) }]
        : [
            {
              message: `${NETWORKS} without rdma/* on the ${view.pool.role} pool`,
              position: root.positionOf(["metadata", "annotations", NETWORKS]),
            },
          ];
    }),
  },
  {
    id: "E4",
    severity: "warning",
    group: "E",
    title: "network annotation that reaches one pool",
    why: "spec.annotations go to the decode endpoints alone; those of metadata go to both pools.",
    fix: `Move ${NETWORKS} to metadata.annotations.`,
    check: forSplit((_split, _subject, { root }) => {
      const node = root.at("spec", "annotations", NETWORKS);
      if (node === undefined || root.at("metadata", "annotations", NETWORKS) !== undefined)
        return [];
      return [{ message: `${NETWORKS} reaches the decode pool alone`, position: node.position }];
    }),
  },
  {
    id: "E6",
    severity: "warning",
    group: "E",
    title: "UCX transports that need more, or lack the GPU",
    why:
      "gdr_copy needs the gdrcopy driver (/dev/gdrdrv) on each node; without cuda " +
      "transports UCX cannot move GPU memory at all.",
    fix: "Drop gdr_copy unless the driver is installed; list cuda_copy (or cuda) in UCX_TLS.",
    check: forPools((view) => {
      const list = ucxNames(view);
      if (list === undefined) return [];
      const position = envPosition(view, "UCX_TLS");
      const findings: Finding[] = [];
      if (list.includes("gdr_copy")) {
        findings.push({ message: "gdr_copy needs the gdrcopy driver on every node", position });
      }
      if (!list.some((name) => name.startsWith("cuda") || name === "all")) {
        findings.push({ message: "UCX_TLS lists no cuda transport for GPU memory", position });
      }
      return findings;
    }),
  },
  {
    id: "E7",
    severity: "warning",
    group: "E",
    title: "KV cache over sockets",
    why:
      "Reports name 3 ms over RDMA and 1800 ms over TCP for one transfer: prefill apart " +
      "then costs more than it saves.",
    fix: "Use RDMA between the pools, or one pool.",
    check: forSplit(({ decode, prefill }) =>
      [decode, prefill].flatMap((view) =>
        view.pool.transport.kind === "tcp" && view.pool.engineArguments.kvTransfer !== undefined
          ? [
              {
                message: `the ${view.pool.role} pool moves KV cache over tcp`,
                position: envPosition(view, "UCX_TLS"),
              },
            ]
          : [],
      ),
    ),
  },
  {
    id: "E8",
    severity: "warning",
    group: "E",
    title: "UCX settings that differ between the pools",
    why:
      "Both ends must find a transport in common; settings of one side alone narrow the " +
      "choice by accident.",
    fix: "Give both pools the same UCX_* variables.",
    check: forSplit(({ decode, prefill }) => {
      const names = [decode, prefill].flatMap(({ pool }) =>
        pool.env.map(({ name }) => name).filter((name) => name.startsWith("UCX_")),
      );
      return [...new Set(names)].flatMap((name) => {
        const [ours, theirs] = [envValue(decode, name), envValue(prefill, name)];
        if (ours === theirs) return [];
        const message = `${name} is ${ours ?? "unset"} on decode and ${theirs ?? "unset"} on prefill`;
        return [{ message, position: envPosition(theirs === undefined ? decode : prefill, name) }];
      });
    }),
  },
  {
    id: "E9",
    severity: "warning",
    group: "E",
    title: "what KSERVE_INFER_ROCE does",
    why:
      "It does not switch RDMA on: the start script looks for active mlx5 devices and " +
      "fills NCCL_IB_HCA, UCX_NET_DEVICES and the GID index where they are unset. Without " +
      "a device it logs a warning and vLLM starts all the same.",
    fix: "Keep it together with an rdma/* resource; check the names it found in the engine's log.",
    check: forPools((view) => {
      if (envValue(view, ROCE) !== "true") return [];
      const position = envPosition(view, ROCE);
      return rdmaCount(view) === 0
        ? [{ message: `${ROCE} finds no device: the pool has no rdma/* resource`, position }]
        : [
            {
              message: `${ROCE} fills in device names and does not switch RDMA on`,
              position,
              severity: "advice",
            },
          ];
    }),
  },
  {
    id: "E10",
    severity: "warning",
    group: "E",
    title: "several RDMA devices, one of them used",
    why: "The start script of ODH to 3.3 and KServe to 0.19 exports the first device alone to UCX.",
    fix: "Set UCX_NET_DEVICES by hand on those releases.",
    check: forPools((view, { target }) =>
      envValue(view, ROCE) !== "true" ||
      rdmaCount(view) < 2 ||
      envValue(view, "UCX_NET_DEVICES") !== undefined
        ? []
        : onTargets(target, {
            message: `UCX gets the first of ${rdmaCount(view)} RDMA devices`,
            position: envPosition(view, ROCE),
            fails: servingFails(({ exportsFirstDeviceOnly }) => exportsFirstDeviceOnly),
          }),
    ),
  },
  {
    id: "E11",
    severity: "warning",
    group: "E",
    title: "RDMA without the right to pin memory",
    why:
      "The presets drop all capabilities; registering memory for RDMA needs IPC_LOCK or " +
      "an unlimited memlock on the nodes.",
    fix: "Add securityContext.capabilities.add: [IPC_LOCK] to container main.",
    check: forPools((view) => {
      const added = view.container?.at("securityContext", "capabilities", "add")?.value;
      const canPin = Array.isArray(added) && (added.includes("IPC_LOCK") || added.includes("ALL"));
      if (rdmaCount(view) === 0 || canPin) return [];
      return [{ message: "rdma/* without the capability IPC_LOCK", position: rdmaPosition(view) }];
    }),
  },
  {
    id: "E12",
    severity: "advice",
    group: "E",
    title: "UCX diagnostics left on",
    why:
      "They print the chosen protocols for each operation: the way to see that RDMA is " +
      "used, and noise afterwards.",
    fix: "Drop them when the transport is confirmed.",
    check: forPools((view) => {
      const isVerbose = (name: string): boolean => {
        const value = envValue(view, name)?.toLowerCase();
        return name === "UCX_PROTO_INFO"
          ? value === "y"
          : ["info", "debug", "trace"].includes(value ?? "");
      };
      return ["UCX_PROTO_INFO", "UCX_LOG_LEVEL"].filter(isVerbose).map((name) => ({
        message: `${name}=${envValue(view, name)} is left on`,
        position: envPosition(view, name),
      }));
    }),
  },
  {
    id: "E13",
    severity: "advice",
    group: "E",
    title: "NCCL settings on one-GPU engines",
    why: "NIXL moves blocks by UCX; NCCL connects the GPUs of one engine, and there is one.",
    fix: "Set UCX_* for the transfer, and drop NCCL_*.",
    check: forSplit(({ decode, prefill }) =>
      [decode, prefill].flatMap((view) => {
        const { tensor, data } = view.pool.parallelism;
        if (tensor * data > 1) return [];
        return view.pool.env
          .filter(({ name }) => name.startsWith("NCCL_"))
          .map(({ name, position }) => ({
            message: `${name} does not act on KV transfer`,
            position,
          }));
      }),
    ),
  },
  {
    id: "E14",
    severity: "advice",
    group: "E",
    title: "cuda_ipc between pods",
    why:
      "When prefill and decode land on one node, UCX may choose cuda_ipc, which fails or " +
      "is slow between pods that share no IPC namespace or see other GPUs.",
    fix:
      "Keep the pools on different nodes by anti-affinity, or drop cuda_ipc where each " +
      "engine has one GPU.",
    check: forSplit(({ decode, prefill }) =>
      [decode, prefill]
        .filter((view) => ucxNames(view)?.some((name) => name === "cuda_ipc" || name === "cuda"))
        .map((view) => ({
          message: "UCX_TLS allows cuda_ipc, which pods on one node may fail with",
          position: envPosition(view, "UCX_TLS"),
        })),
    ),
  },
  {
    id: "E5",
    severity: "advice",
    group: "E",
    title: "network that is looked up in the service's namespace",
    why:
      "Multus takes a bare name from the pod's own namespace; there is no error in the " +
      "manifest if it stands in another.",
    fix: "Write namespace/name in the annotation, or metadata.namespace in the manifest.",
    check: forManifest(({ root }) => {
      const node = root.at("metadata", "annotations", NETWORKS);
      const isBare = typeof node?.value === "string" && /^[a-z0-9][-a-z0-9.,]*$/.test(node.value);
      if (node === undefined || !isBare || root.at("metadata", "namespace") !== undefined)
        return [];
      const message =
        `network ${String(node.value)} is looked up in the namespace that the manifest ` +
        "leaves open";
      return [{ message, position: node.position }];
    }),
  },
];

function rdmaResource({ pool }: PoolView): string | undefined {
  return Object.keys(pool.extendedResources).find((name) => name.startsWith("rdma/"));
}

function rdmaCount(view: PoolView): number {
  return Number(view.pool.extendedResources[rdmaResource(view) ?? ""] ?? 0);
}

function rdmaPosition(view: PoolView): Finding["position"] {
  return containerPosition(view, "resources", "limits", rdmaResource(view) ?? "");
}

/** Names of a list of allowed transports; undefined when unset, or a list of exclusions. */
function ucxNames(view: PoolView): readonly string[] | undefined {
  const list = envValue(view, "UCX_TLS");
  if (list === undefined || list.startsWith("^")) return undefined;
  return list.split(",").map((name) => name.trim());
}

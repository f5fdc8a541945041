import {
  both,
  type Case,
  flagged,
  NIXL,
  type PoolChange,
  type ServiceChange,
  SPLIT,
  transfer,
} from "./check-fixture.test.ts";

const ROCE = "k8s.v1.cni.cncf.io/networks";
const RDMA = { "rdma/roce_gdr": "1" };
const probe = (fields: object, name = "livenessProbe"): PoolChange => ({
  container: { [name]: { httpGet: { path: "/health", port: 8000 }, ...fields } },
});

/** Rules about KV transfer, networks, resources and probes: where they speak and where not. */
export const SERVING_CASES: readonly Case[] = [
  ["D1 error", both({}), both({ env: NIXL })],
  ["D2 error", both({}, { env: NIXL }), both({ env: NIXL })],
  ["D3 error", transfers("kv_producer", "kv_consumer"), transfers("kv_consumer", "kv_producer")],
  [
    "D4 error",
    both(flagged(transfer({ kv_connector: "LMCacheConnectorV1" }))),
    both({ env: NIXL }),
  ],
  ["D5 warning", { env: NIXL }, both({ env: NIXL })],
  ["D6 error", both(flagged("--block-size 16"), flagged("--block-size 32")), both({})],
  ["D7 error", both(flagged("--dtype half"), flagged("--dtype auto")), both({})],
  [
    "D7 error",
    both(flagged("--max-model-len 8192"), flagged("--max-model-len 4096")),
    both(flagged("--max-model-len 4096"), flagged("--max-model-len 8192")),
  ],
  ["D8 warning", both(gpus(1), gpus(2)), both(gpus(2))],
  ["D8 error", both(gpus(2), gpus(1)), both(gpus(1), gpus(2))],
  ["D9 error", both({}, flagged(`--speculative-config '{}'`)), both({})],
  ["D10 warning", both(flagged("--gpu-memory-utilization 0.5"), {}), both({})],
  [
    "D11 error",
    both({ env: { ...NIXL, VLLM_NIXL_SIDE_CHANNEL_HOST: "localhost" } }),
    both({ env: NIXL }),
  ],
  ["D11 error", both(flagged(transfer())), both({ env: NIXL })],
  [
    "D12 error",
    both({ env: NIXL, template: { hostNetwork: true } }),
    both(
      { env: NIXL, template: { hostNetwork: true } },
      { env: { ...NIXL, VLLM_NIXL_SIDE_CHANNEL_PORT: "5700" }, template: { hostNetwork: true } },
    ),
  ],
  [
    "D13 error",
    {
      ...flagged(transfer()),
      args: ["--kv_transfer_config", '{"kv_connector":"A","kv_role":"kv_both"}'],
    },
    flagged(transfer()),
  ],
  [
    "D14 error",
    { ...flagged(transfer()), spec: { kvCacheOffloading: { cpu: "8Gi" } } },
    { spec: { kvCacheOffloading: { cpu: "8Gi" } } },
  ],
  ["D15 advice", both(flagged(transfer())), both({ env: NIXL })],
  [
    "D16 warning",
    { env: { VLLM_NIXL_ABORT_REQUEST_TIMEOUT: "100000" } },
    { env: { VLLM_NIXL_ABORT_REQUEST_TIMEOUT: "480" } },
  ],
  ["D18 warning", { ...both({}), model: { uri: "hf://Qwen/Qwen3-0.6B", name: "q" } }, both({})],
  ["D19 warning", { prefill: { replicas: 0 } }, { prefill: { replicas: 1 } }],
  [
    "D20 warning",
    { ...both({}), model: { lora: { adapters: [{ name: "a", uri: "hf://a/a" }] } } },
    both({}),
    "kserve-0.20",
  ],
  ["D21 advice", both({}), { ...both({}), scheduler: closed("FailClose") }, "kserve-0.18"],
  ["E1 error", both({ env: { UCX_TLS: "rc,cuda" } }), both({ env: { UCX_TLS: "rc,tcp,cuda" } })],
  ["E2 error", both({ limits: RDMA }, {}), both({ limits: RDMA })],
  [
    "E3 warning",
    { limits: RDMA },
    { limits: RDMA, metadata: { annotations: { [ROCE]: "demo/roce" } } },
  ],
  ["E3 warning", { metadata: { annotations: { [ROCE]: "demo/roce" } } }, {}],
  [
    "E4 warning",
    { ...both({}), spec: { annotations: { [ROCE]: "roce" } } },
    { ...both({}), metadata: { annotations: { [ROCE]: "roce" } } },
  ],
  [
    "E5 advice",
    { metadata: { namespace: undefined, annotations: { [ROCE]: "roce" } } },
    { metadata: { annotations: { [ROCE]: "roce" } } },
  ],
  [
    "E6 warning",
    { env: { UCX_TLS: "rc,cuda_copy,gdr_copy" } },
    { env: { UCX_TLS: "rc,cuda_copy" } },
  ],
  ["E6 warning", { env: { UCX_TLS: "rc,sm" } }, { env: { UCX_TLS: "^tcp" } }],
  ["E7 warning", both({ env: NIXL }), both({ env: NIXL, limits: RDMA })],
  ["E8 warning", both({}, { env: { UCX_TLS: "all" } }), both({ env: { UCX_TLS: "all" } })],
  ["E9 warning", { env: { KSERVE_INFER_ROCE: "true" } }, { env: { KSERVE_INFER_ROCE: "false" } }],
  [
    "E9 advice",
    { env: { KSERVE_INFER_ROCE: "true" }, limits: RDMA },
    { env: { KSERVE_INFER_ROCE: "true" } },
  ],
  [
    "E10 warning",
    { env: { KSERVE_INFER_ROCE: "true" }, limits: { "rdma/roce_gdr": "2" } },
    { env: { KSERVE_INFER_ROCE: "true" }, limits: RDMA },
    "kserve-0.18",
  ],
  [
    "E11 warning",
    { limits: RDMA },
    { limits: RDMA, container: { securityContext: { capabilities: { add: ["IPC_LOCK"] } } } },
  ],
  ["E12 advice", { env: { UCX_PROTO_INFO: "y" } }, { env: { UCX_PROTO_INFO: "n" } }],
  ["E13 advice", both({ env: { NCCL_DEBUG: "INFO" } }), { env: { NCCL_DEBUG: "INFO" } }],
  ["E14 advice", both({ env: { UCX_TLS: "tcp,cuda_ipc" } }), both({ env: { UCX_TLS: "tcp" } })],
  ["F1 error", gpus(2, 1), gpus(2)],
  ["F1 warning", { limits: { "nvidia.com/gpu": "0" } }, {}],
  ["F2 warning", { limits: { memory: "8Gi" } }, { limits: { memory: "32Gi" } }],
  ["F3 warning", { limits: { cpu: "1" } }, { limits: { cpu: "2500m" } }],
  ["F3 advice", { limits: { cpu: "2500m" } }, { limits: { cpu: "3" } }],
  ["F4 error", { requests: { "rdma/roce_gdr": "1" } }, { limits: RDMA, requests: RDMA }],
  ["F4 advice", { requests: { cpu: "1" } }, { requests: { cpu: "8000m" } }],
  [
    "F5 warning",
    probe({ initialDelaySeconds: 60 }),
    probe({ initialDelaySeconds: 900 }),
    "odh-3.3",
  ],
  ["F5 note", probe({ initialDelaySeconds: 60 }), {}],
  ["F6 warning", { model: { uri: "hf://meta-llama/Llama-3.3-70B", name: "l" } }, {}, "kserve-0.18"],
  ["F7 warning", both({}, probe({})), both(probe({}), {})],
  [
    "F7 error",
    { container: { readinessProbe: { httpGet: { port: 8001 } } } },
    { container: { readinessProbe: { httpGet: { port: 8000 } } } },
    "kserve-0.18",
  ],
  ["F8 error", probe({}), probe({ httpGet: { port: 8000, scheme: "HTTPS" } }), "odh-3.3"],
  [
    "F8 error",
    { flags: ["--modelServerMetricsScheme", "https"] },
    { flags: ["--modelServerMetricsScheme", "http"] },
    "kserve-0.16",
  ],
  ["F8 warning", probe({ httpGet: { port: 8000, scheme: "HTTPS" } }), probe({}), "kserve-0.18"],
  ["F9 warning", probe({ timeoutSeconds: 1 }), probe({ timeoutSeconds: 5 })],
  [
    "F9 warning",
    probe({ periodSeconds: 1, failureThreshold: 2 }, "readinessProbe"),
    probe({ periodSeconds: 10 }, "readinessProbe"),
  ],
  [
    "F10 warning",
    { template: { terminationGracePeriodSeconds: 120 } },
    { template: { terminationGracePeriodSeconds: 30 } },
  ],
  ["F11 warning", both({}, { template: { tolerations: [] } }), both({})],
  ["F11 advice", { template: { tolerations: [] } }, {}],
  [
    "F12 advice",
    { template: { topologySpreadConstraints: undefined } },
    { template: { topologySpreadConstraints: undefined }, replicas: 1 },
  ],
  ["F13 warning", gpus(2), { ...gpus(2), template: { volumes: [{ name: "dshm", emptyDir: {} }] } }],
  ["G1 warning", claimed(2), claimed(1)],
  ["G2 advice", both({ template: { volumes: [] } }, {}), both({})],
  ["G6 advice", { template: { volumes: [] } }, {}],
  ["H1 warning", { metadata: { namespace: undefined } }, {}],
  [
    "H12 warning",
    {},
    { metadata: { annotations: { "security.opendatahub.io/enable-auth": "false" } } },
    "odh-3.0",
  ],
  ["H13 error", {}, { picker: null }, "odh-3.3"],
];

function transfers(decode: string, prefill: string): ServiceChange {
  return both(flagged(transfer({ kv_role: prefill })), flagged(transfer({ kv_role: decode })));
}

function gpus(tensor: number, limit: number = tensor): PoolChange {
  return { limits: { "nvidia.com/gpu": String(limit) }, spec: { parallelism: { tensor } } };
}

function closed(failureMode: string): Readonly<Record<string, unknown>> {
  return {
    config: { inline: SPLIT },
    pool: { spec: { endpointPickerRef: { failureMode } } },
  };
}

function claimed(replicas: number): ServiceChange {
  const volumes = [{ name: "weights", persistentVolumeClaim: { claimName: "weights" } }];
  return { replicas, template: { volumes } };
}

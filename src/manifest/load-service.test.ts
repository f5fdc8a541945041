import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { describeConfig } from "../config/describe-config.ts";
import { ConfigError, describeFault } from "../core/config-error.ts";
import { createRegistry } from "../plugin/registry.ts";
import { builtinPlugins } from "../plugins/builtin-plugins.ts";
import { loadService } from "./load-service.ts";
import type { Pool, Service } from "./service.ts";
import { checkServices } from "./service-set.ts";

const registry = createRegistry(builtinPlugins);
const root = new URL("../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
const load = (text: string, file = "f"): Service => loadService({ text, file, registry });
const SINGLE = read("examples/gpt-oss-20b.yaml");
const SPLIT = read("examples/qwen-pd.yaml");

function faultsOf(text: string): readonly string[] {
  try {
    load(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(describeFault);
    throw error;
  }
  return [];
}

/** Line and column at which `needle` starts. */
function placeOf(text: string, needle: string): string {
  const before = text.slice(0, text.indexOf(needle)).split("\n");
  return `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
}

const SCHEDULER_ARGUMENTS = (pool: string, namespace: string): readonly string[] => [
  "-v=4",
  "--poolName",
  pool,
  "--poolNamespace",
  namespace,
  ..."--zap-encoder json --grpcPort 9002 --grpcHealthPort 9003 --secureServing".split(" "),
  ..."--modelServerMetricsScheme https --modelServerMetricsHttpsInsecureSkipVerify".split(" "),
  "--certPath",
  "/etc/ssl/certs",
];
const PROBE = {
  path: "/health",
  port: "8000",
  scheme: "HTTPS",
  initialDelaySeconds: 120,
  periodSeconds: 30,
  timeoutSeconds: 30,
  failureThreshold: 5,
};

/** A pool without positions. */
function plain({
  position: _,
  env,
  engineArguments: { flags, ...settings },
  ...pool
}: Pool): unknown {
  const variables = env.map(({ name, value, valueFrom }) => [name, value ?? valueFrom]);
  return { ...pool, env: variables, engineArguments: { ...settings, flags: [...flags] } };
}

const ENGINE = {
  blockSize: undefined,
  maxModelLen: undefined,
  gpuMemoryUtilization: undefined,
  maxNumSeqs: undefined,
  maxNumBatchedTokens: undefined,
  tensorParallelSize: undefined,
  isPrefixCachingEnabled: true,
  kvTransfer: undefined,
  isKvEventsEnabled: false,
  flags: [["disable-uvicorn-access-log", "true"]],
};
const SINGLE_RESOURCES = { cpu: "1", memory: "8Gi", "nvidia.com/gpu": "1" };
const SINGLE_POOL = {
  role: "both",
  parallelism: { tensor: 1, pipeline: 1, data: 1 },
  requests: SINGLE_RESOURCES,
  limits: SINGLE_RESOURCES,
  gpuCount: 1,
  extendedResources: {},
  volumes: [
    {
      name: "kserve-provision-location",
      source: "persistentVolumeClaim",
      claimName: "gpt-oss-20b",
    },
  ],
  networks: undefined,
  env: [["VLLM_ADDITIONAL_ARGS", "--disable-uvicorn-access-log"]],
  engineArguments: ENGINE,
  livenessProbe: PROBE,
  tolerations: [{ key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" }],
  transport: { kind: "tcp", ucxTls: "all" },
};

const UCX_TLS = "rc,sm,self,cuda_copy,cuda_ipc,gdr_copy";
const NIXL = '{"kv_connector":"NixlConnector","kv_role":"kv_both"}';
const SPLIT_RESOURCES = { cpu: "4", memory: "32Gi", "nvidia.com/gpu": "1", "rdma/roce_gdr": "1" };
const SPLIT_POOL = {
  ...SINGLE_POOL,
  requests: SPLIT_RESOURCES,
  limits: SPLIT_RESOURCES,
  extendedResources: { "rdma/roce_gdr": "1" },
  volumes: [],
  networks: "roce-p2",
  env: [
    ["KSERVE_INFER_ROCE", "true"],
    ["VLLM_NIXL_SIDE_CHANNEL_HOST", "status.podIP"],
    ["VLLM_ADDITIONAL_ARGS", `--kv_transfer_config '${NIXL}'`],
    ["UCX_PROTO_INFO", "y"],
    ["UCX_TLS", UCX_TLS],
  ],
  engineArguments: {
    ...ENGINE,
    kvTransfer: { connector: "NixlConnector", role: "kv_both", loadFailurePolicy: "fail" },
    flags: [["kv-transfer-config", NIXL]],
  },
  tolerations: [],
  transport: { kind: "rdma", ucxTls: UCX_TLS },
};

for (const [path, replicas] of [
  ["examples/gpt-oss-20b.yaml", 4],
  ["../shared/manifests/gpt-oss-20b.yaml", 1],
] as const) {
  test(`service: ${path} loads whole`, { skip: missing(path) }, () => {
    const service = load(read(path), path);
    const { main, prefill, picker, config, notes, position, ...facts } = service;
    assert.deepEqual(facts, {
      namespace: "demo-llm",
      name: "gpt-oss-20b",
      apiVersion: "serving.kserve.io/v1alpha1",
      modelName: "openai/gpt-oss-20b",
      modelUri: "hf://openai/gpt-oss-20b",
      annotations: {},
    });
    assert.deepEqual(plain(main), { ...SINGLE_POOL, replicas });
    assert.equal(prefill, undefined);
    assert.equal(picker.origin, "argument");
    assert.deepEqual(
      picker.arguments,
      SCHEDULER_ARGUMENTS("gpt-oss-20b-inference-pool", "demo-llm"),
    );
    assert.deepEqual(
      config.plugins.map(({ name, parameters }) => [name, parameters]),
      [
        ["single-profile-handler", {}],
        ["max-score-picker", {}],
        ["queue-scorer", {}],
        ["kv-cache-scorer", {}],
        [
          "prefix-cache-scorer-producer",
          { blockBytes: 64, maxPrefixBlocksToMatch: 256, lruCapacityPerServer: 39744 },
        ],
        ["prefix-cache-scorer", {}],
      ],
    );
    assert.deepEqual(config.profiles, [
      {
        name: "default",
        plugins: [
          { pluginRef: "prefix-cache-scorer", weight: 2 },
          { pluginRef: "queue-scorer", weight: 1 },
          { pluginRef: "kv-cache-scorer", weight: 1 },
          { pluginRef: "max-score-picker", weight: 1 },
        ],
      },
    ]);
    assert.deepEqual(
      notes.map(({ message }) => message),
      ["vLLM argument --disable-uvicorn-access-log has no effect here"],
    );
    assert.equal(position.file, path);
  });
}

for (const [path, replicas] of [
  ["examples/qwen-pd.yaml", 2],
  ["../shared/manifests/qwen-pd.yaml", 1],
] as const) {
  test(`service: ${path} loads whole`, { skip: missing(path) }, () => {
    const { main, prefill, picker, config, notes, position: _, ...facts } = load(read(path), path);
    assert.deepEqual(facts, {
      namespace: "default",
      name: "qwen-pd",
      apiVersion: "serving.kserve.io/v1alpha1",
      modelName: "Qwen/Qwen3-0.6B",
      modelUri: "hf://Qwen/Qwen3-0.6B",
      annotations: { "k8s.v1.cni.cncf.io/networks": "roce-p2" },
    });
    assert.deepEqual(plain(main), { ...SPLIT_POOL, role: "decode", replicas });
    assert.ok(prefill);
    assert.deepEqual(plain(prefill), { ...SPLIT_POOL, role: "prefill", replicas });
    assert.deepEqual(picker.arguments, SCHEDULER_ARGUMENTS("qwen-pd-inference-pool", "default"));
    assert.deepEqual(
      config.plugins.map(({ name, parameters }) => [name, parameters]),
      [
        ["pd-profile-handler", { threshold: 0 }],
        ["prefill-header-handler", {}],
        ["prefill-filter", {}],
        ["decode-filter", {}],
        ["random-picker", { maxNumOfEndpoints: 1 }],
      ],
    );
    assert.deepEqual(
      config.profiles.map(({ name, plugins }) => [
        name,
        ...plugins.map((entry) => entry.pluginRef),
      ]),
      [
        ["prefill", "prefill-filter", "random-picker"],
        ["decode", "decode-filter", "random-picker"],
      ],
    );
    assert.deepEqual(notes, []);
  });
}

function missing(path: string): string | false {
  return existsSync(new URL(path, root)) ? false : `${path} is not here`;
}

for (const flag of ["--configText", "--config-text", "-configText", "-config-text"]) {
  test(`service: the configuration is found behind ${flag}, apart or joined`, () => {
    const expected = describeConfig(load(SINGLE).config);
    const apart = load(SINGLE.replace("--configText", flag));
    assert.deepEqual(describeConfig(apart.config), expected);
    const joined = SINGLE.replace("              - --configText\n", "").replace(
      "- |\n                apiVersion",
      `- |\n                ${flag}=\n                apiVersion`,
    );
    const service = load(joined);
    assert.deepEqual(describeConfig(service.config), expected);
    assert.deepEqual(service.picker, { ...load(SINGLE).picker, text: service.picker.text });
  });
}

/** A service with this `router.scheduler`. */
const withScheduler = (
  scheduler: string,
  prefill = "",
): string => `apiVersion: serving.kserve.io/v1alpha2
kind: LLMInferenceService
metadata: {name: tiny}
spec:
  model: {uri: hf://a/b}
${prefill}  router:
    scheduler:${scheduler}
`;

test("service: the configuration may be an object, which comes before an argument", () => {
  const text = withScheduler(`
      config:
        inline:
          apiVersion: llm-d.ai/v1alpha1
          kind: EndpointPickerConfig
          plugins:
          - type: random-picker
      template: {containers: [{name: main, args: [--config-text, "{}"]}]}`);
  const service = load(text);
  assert.equal(service.picker.origin, "inline");
  assert.match(
    service.picker.text,
    /^apiVersion: llm-d.ai\/v1alpha1\nkind: EndpointPickerConfig\n/,
  );
  assert.equal(service.config.plugins[0]?.name, "random-picker");
  assert.match(service.notes[0]?.message ?? "", /config.inline comes first/);
  assert.equal(service.modelName, "tiny");
  const wrong = text.replace("random-picker", "lottery");
  const path = "spec.router.scheduler.config.inline.plugins[0].type";
  assert.equal(
    faultsOf(wrong)[0]?.startsWith(`f:${placeOf(wrong, "type: lottery")}: ${path}: `),
    true,
  );
});

test("service: without configuration the built-in one is used, with a note", () => {
  const single = load(withScheduler(" {}"));
  assert.equal(single.picker.origin, "default");
  assert.match(single.notes[0]?.message ?? "", /no EndpointPickerConfig/);
  assert.deepEqual(
    single.config.profiles[0]?.plugins.map(({ pluginRef, weight }) => [pluginRef, weight]),
    [
      ["queue-scorer", 2],
      ["kv-cache-scorer", 2],
      ["prefix-cache-scorer", 3],
      ["max-score-picker", 1],
    ],
  );
  assert.equal(single.main.replicas, 1);
  const split = load(withScheduler(" {}", "  prefill: {replicas: 3}\n"));
  assert.deepEqual(
    split.config.profiles.map(({ name, plugins }) => [name, plugins[0]?.pluginRef]),
    [
      ["prefill", "prefill-filter"],
      ["decode", "decode-filter"],
    ],
  );
  assert.equal(split.main.role, "decode");
  assert.equal(split.prefill?.replicas, 3);
});

test("service: an argument overrides parallelism, with a note", () => {
  const text = SINGLE.replace("replicas: 4", "replicas: 0\n  parallelism: {tensor: 4, data: 2}");
  assert.deepEqual(load(text).main.parallelism, { tensor: 4, pipeline: 1, data: 2 });
  const argued = load(text.replace('value: "--', 'value: "-tp 8 --'));
  assert.deepEqual(argued.main.parallelism, { tensor: 8, pipeline: 1, data: 2 });
  assert.equal(argued.main.engineArguments.tensorParallelSize, 8);
  assert.ok(argued.notes.some(({ message }) => /overrides parallelism.tensor/.test(message)));
});

test("service: other objects of the file are ignored, with a note", () => {
  const service = load(`apiVersion: v1\nkind: ConfigMap\n---\n${SINGLE}\n---\n`);
  assert.equal(service.name, "gpt-oss-20b");
  assert.equal(service.notes[0]?.message, "ConfigMap is ignored");
});

for (const [name, text, kind] of [
  ["tcp instead of rc", SPLIT.replace("rc,sm", "tcp,sm"), "tcp"],
  ["no rc", SPLIT.replace("rc,sm", "sm"), "none"],
  ["no rdma resource", SPLIT.replaceAll(/ +rdma\/roce_gdr: 1\n/g, ""), "none"],
] as const) {
  test(`service: qwen-pd with ${name} has transport ${kind}`, () => {
    const { main, prefill } = load(text);
    assert.deepEqual([main.transport.kind, prefill?.transport.kind], [kind, kind]);
  });
}

test("service set: two services may not share a model or a name", () => {
  const [single, split] = [load(SINGLE, "a.yaml"), load(SPLIT, "b.yaml")];
  checkServices([]);
  checkServices([single, split]);
  const rival = load(SPLIT.replace("name: Qwen/Qwen3-0.6B", "name: openai/gpt-oss-20b"), "b.yaml");
  assert.throws(() => checkServices([single, rival]), {
    name: "ConfigError",
    message:
      "b.yaml:3:1: spec.model.name: default/qwen-pd and demo-llm/gpt-oss-20b (a.yaml:4) both serve the model openai/gpt-oss-20b",
  });
  assert.throws(() => checkServices([split, split]), {
    message: "b.yaml:3:1: metadata.name: default/qwen-pd is in b.yaml:3 already",
  });
});

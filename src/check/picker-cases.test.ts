import {
  type Case,
  config,
  flagged,
  HANDLER,
  PICKER,
  PLAIN,
  plugin,
  QUEUE,
  type ServiceChange,
  SPLIT,
  scored,
} from "./check-fixture.test.ts";

const PREFIX = (
  parameters?: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> =>
  config([HANDLER, plugin("prefix-cache-scorer", parameters), PICKER], {
    default: ["prefix-cache-scorer*1", "max-score-picker"],
  });
const PD = plugin("pd-profile-handler", { threshold: 30000 });
const staged = (
  plugins: readonly Readonly<Record<string, unknown>>[],
  decode: readonly string[] = ["decode-filter", "random-picker"],
  prefill: readonly string[] = ["prefill-filter", "random-picker"],
): ServiceChange => ({
  prefill: {},
  picker: config(
    [
      ...plugins,
      plugin("prefill-filter"),
      plugin("decode-filter"),
      plugin("random-picker"),
      plugin("prefix-cache-scorer"),
    ],
    { prefill, decode },
  ),
});
const HEADER = plugin("prefill-header-handler");

/** Rules about versions, the scheduler's configuration and its settings: where they speak and where not. */
export const PICKER_CASES: readonly Case[] = [
  ["B1 error", { flags: ["--poolName", "p"] }, { flags: ["--pool-name", "p"] }, "kserve-0.18"],
  ["B1 error", { flags: ["--pool-name", "p"] }, { flags: ["--zap-encoder", "json"] }, "odh-2.35"],
  ["B1 note", { flags: ["--poolName=p"] }, { flags: ["-v=4"] }],
  ["B2 error", scored("kv-cache-scorer*1"), scored("queue-scorer*1"), "kserve-0.18"],
  ["B2 note", scored("kv-cache-scorer*1"), scored("queue-scorer*1")],
  ["B2 error", { picker: PREFIX({ hashBlockSize: 64 }) }, { picker: PREFIX() }, "llm-d-0.10"],
  ["B3 warning", { prefill: {}, picker: SPLIT }, {}, "kserve-0.18"],
  ["B3 note", { prefill: {}, picker: SPLIT }, {}],
  ["B4 error", image("v0.2.0"), image("v0.7.1"), "kserve-0.18"],
  [
    "B4 warning",
    { scheduler: { ...image("v0.9.0").scheduler, annotations: version("0.7.1") } },
    { scheduler: { ...image("v0.9.0").scheduler, annotations: version("0.9.0") } },
  ],
  ["B5 warning", { flags: ["--pool-name", "p"] }, { flags: ["-v=4"] }, "kserve-0.18"],
  [
    "B5 error",
    { flags: ["--cert-path", "/etc/ssl/certs"] },
    { flags: ["--cert-path", "/var/run/kserve/tls"] },
    "kserve-0.17",
  ],
  ["B6 error", { args: ["--max-model-len=8192"] }, {}, "odh-3.3"],
  ["B6 error", { container: { command: ["vllm"] } }, { args: ["--seed=1"] }, "kserve-0.18"],
  ["B7 error", { env: { KSERVE_INFER_ROCE: "true" } }, {}, "kserve-0.17"],
  ["B8 warning", staged([PD, HEADER]), { prefill: {}, picker: SPLIT }, "kserve-0.18"],
  ["B9 error", decided("prefix-based-pd-decider", {}), decided("always-disagg-pd-decider")],
  [
    "B10 error",
    { flags: ["--model-server-metrics-scheme", "https"] },
    { flags: ["--grpc-port", "9002"] },
    "llm-d-0.10",
  ],
  ["B11 warning", { model: { criticality: "Critical" } }, {}],
  [
    "B12 error",
    { metadata: { annotations: { hint: "{{ nothing }}" } } },
    { metadata: { annotations: { hint: "{{ .ObjectMeta.Name }}" } } },
    "kserve-0.18",
  ],
  ["B13 advice", { picker: null }, {}],
  [
    "B14 error",
    { spec: { worker: {}, parallelism: { pipeline: 2 } } },
    { spec: { worker: {}, parallelism: { data: 2, dataLocal: 1 } } },
    "kserve-0.18",
  ],
  [
    "C3 error",
    { picker: config([HANDLER, PICKER, QUEUE], { default: ["queue-scorer*1"] }) },
    {},
    "odh-2.35",
  ],
  [
    "C5 warning",
    {
      picker: config([HANDLER, QUEUE, plugin("random-picker")], {
        default: ["queue-scorer*1", "random-picker"],
      }),
    },
    {},
  ],
  ["C6 warning", { picker: config([HANDLER, PICKER], { default: ["max-score-picker"] }) }, {}],
  [
    "C7 error",
    { picker: config([PICKER, QUEUE], { default: ["queue-scorer*1", "max-score-picker"] }) },
    {},
    "kserve-0.16",
  ],
  ["C9 error", { prefill: {}, picker: PLAIN }, { prefill: {}, picker: SPLIT }],
  ["C10 error", { picker: SPLIT }, { prefill: {}, picker: SPLIT }],
  ["C11 error", staged([PD, HEADER], ["random-picker"]), staged([PD, HEADER])],
  [
    "C12 error",
    staged([PD, HEADER], ["prefill-filter", "random-picker"], ["decode-filter", "random-picker"]),
    staged([PD, HEADER]),
  ],
  ["C13 error", staged([PD]), staged([PD, HEADER])],
  [
    "C14 warning",
    staged([PD, HEADER]),
    staged([PD, HEADER], ["decode-filter", "prefix-cache-scorer*1", "random-picker"]),
  ],
  ["C15 advice", { prefill: {}, picker: SPLIT }, {}],
  [
    "C15 warning",
    staged([plugin("pd-profile-handler", { threshold: 4 * 40960 + 1 }), HEADER]),
    staged([PD, HEADER]),
  ],
  [
    "C16 advice",
    { picker: PREFIX({ hashBlockSize: 512 }) },
    { picker: PREFIX({ hashBlockSize: 256 }) },
  ],
  [
    "C17 warning",
    { picker: PREFIX({ hashBlockSize: 64 }), ...flagged("--block-size 128") },
    { picker: PREFIX({ hashBlockSize: 512 }), ...flagged("--block-size 128") },
  ],
  ["C18 error", staged([sized(128), HEADER]), staged([sized(64), HEADER]), "odh-2.35"],
  [
    "C19 warning",
    { picker: PREFIX({ lruCapacityPerServer: 1000 }) },
    { picker: PREFIX({ lruCapacityPerServer: 24000 }) },
  ],
  [
    "C20 warning",
    { picker: PREFIX({ maxPrefixBlocksToMatch: 511 }) },
    { picker: PREFIX({ maxPrefixBlocksToMatch: 512 }) },
  ],
  [
    "C21 advice",
    { picker: PREFIX({ hashBlockSize: 64 }) },
    { picker: PREFIX({ hashBlockSize: 64, autoTune: false }) },
    "kserve-0.18",
  ],
  ["C22 warning", { replicas: 1 }, { replicas: 2 }],
  ["C23 error", scored("queue-scorer*1.5"), scored("queue-scorer*2"), "kserve-0.17"],
  ["C23 error", scored("queue-scorer"), scored("queue-scorer*1"), "odh-2.35"],
  [
    "C24 advice",
    scored("queue-scorer*1", "running-requests-size-scorer*1"),
    scored("queue-scorer*1", "prefix-cache-scorer*1"),
  ],
  [
    "C25 warning",
    { picker: PREFIX(), scheduler: { replicas: 2, config: { inline: PREFIX() } } },
    { picker: PREFIX(), scheduler: { replicas: 1, config: { inline: PREFIX() } } },
  ],
  ["C26 error", era("llm-d.ai/v1alpha1"), {}, "kserve-0.18"],
  ["C26 warning", {}, era("llm-d.ai/v1alpha1"), "llm-d-0.10"],
  [
    "C27 warning",
    precise(),
    { ...precise(), ...flagged(`--kv-events-config '{"enable_kv_cache_events":true}'`) },
  ],
  [
    "C28 advice",
    { model: { lora: { adapters: [{ name: "a", uri: "hf://a/a" }] } } },
    {
      model: { lora: { adapters: [{ name: "a", uri: "hf://a/a" }] } },
      ...scored("lora-affinity-scorer*1"),
    },
  ],
  ["S1 warning", scored("queue-scorer*0", "kv-cache-scorer*1"), scored("queue-scorer*1")],
  [
    "S1 warning",
    { picker: PREFIX(), ...flagged("--no-enable-prefix-caching") },
    { picker: PREFIX() },
  ],
  [
    "S2 advice",
    scored("queue-scorer*3", "prefix-cache-scorer*2"),
    scored("queue-scorer*2", "prefix-cache-scorer*2"),
  ],
  ["S2 warning", scored("queue-scorer*30", "prefix-cache-scorer*2"), scored("queue-scorer*3")],
  [
    "S3 warning",
    { flags: ["--refresh-metrics-interval", "15s"] },
    { flags: ["--refresh-metrics-interval", "100ms"] },
  ],
  [
    "S3 advice",
    { flags: ["--refreshMetricsInterval=150ms"] },
    { flags: ["--refreshMetricsInterval=100ms"] },
  ],
  ["S3 error", { picker: source("75ms") }, { picker: source("100ms") }],
  [
    "S4 warning",
    { picker: config([HANDLER, QUEUE, PICKER], { default: ["max-score-picker"] }) },
    {},
  ],
  ["S4 advice", { picker: source("100ms") }, {}],
  ["S5 advice", scored("kv-cache-scorer*1"), scored("kv-cache-utilization-scorer*1")],
  [
    "X1 warning",
    {
      picker: config([HANDLER, HEADER, QUEUE, PICKER], {
        default: ["queue-scorer*1", "max-score-picker"],
      }),
    },
    { prefill: {}, picker: SPLIT },
  ],
];

function image(tag: string): ServiceChange {
  const name = "ghcr.io/llm-d/llm-d-inference-scheduler";
  const template = { containers: [{ name: "main", image: `${name}:${tag}` }] };
  return { scheduler: { template, config: { inline: PLAIN } } };
}

function version(release: string): Readonly<Record<string, string>> {
  return { "app.kubernetes.io/version": release };
}

function decided(type: string, parameters?: Readonly<Record<string, unknown>>): ServiceChange {
  const handler = plugin("disagg-profile-handler", { deciders: { prefill: type } });
  return staged([plugin(type, parameters), handler, plugin("disagg-headers-handler")]);
}

function sized(hashBlockSize: number): Readonly<Record<string, unknown>> {
  return plugin("pd-profile-handler", { threshold: 100, hashBlockSize });
}

function era(apiVersion: string): ServiceChange {
  return { picker: { ...PLAIN, apiVersion } };
}

function precise(): ServiceChange {
  return {
    picker: config([HANDLER, QUEUE, PICKER, plugin("precise-prefix-cache-producer")], {
      default: ["queue-scorer*1", "max-score-picker"],
    }),
  };
}

function source(interval: string): Readonly<Record<string, unknown>> {
  return config([HANDLER, QUEUE, PICKER, plugin("metrics-data-source", { interval })], {
    default: ["queue-scorer*1", "max-score-picker"],
  });
}

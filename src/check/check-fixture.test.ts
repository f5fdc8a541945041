import { checkFacts } from "../app/check-facts.ts";
import { builtinRegistry } from "../app/plugin-registry.ts";
import { invariant } from "../core/invariant.ts";
import { type CheckedFile, checkFiles } from "./check-files.ts";
import type { Diagnostic, Severity } from "./rule.ts";
import type { RunningRouter } from "./running-router.ts";
import { findTarget, type TargetName } from "./targets.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Checks texts as the command does; GPU facts are those of an H100. */
export function diagnosticsOf(
  texts: readonly string[],
  targetName: TargetName = "switchyard",
  running?: RunningRouter,
): readonly Diagnostic[] {
  const target = findTarget(targetName);
  invariant(target !== undefined, `no target ${targetName}`);
  const files: readonly CheckedFile[] = texts.map((text, index) => ({ file: `f${index}`, text }));
  const registry = builtinRegistry();
  return checkFiles(files, { target, facts: checkFacts("H100"), registry, running });
}

/** `rule severity` of each finding. */
export function kindsOf(diagnostics: readonly Diagnostic[]): readonly string[] {
  return diagnostics.map(({ rule, severity }) => `${rule} ${severity}`);
}

/** A plugin of a configuration. */
export function plugin(type: string, parameters?: Fields, name?: string): Fields {
  return {
    type,
    ...(name === undefined ? {} : { name }),
    ...(parameters === undefined ? {} : { parameters }),
  };
}

/** An EndpointPickerConfig; uses of a profile are `name` or `name*weight`. */
export function config(
  plugins: readonly Fields[],
  profiles: Readonly<Record<string, readonly string[]>>,
  more: Fields = {},
): Fields {
  return {
    apiVersion: "inference.networking.x-k8s.io/v1alpha1",
    kind: "EndpointPickerConfig",
    plugins,
    schedulingProfiles: Object.entries(profiles).map(([name, uses]) => ({
      name,
      plugins: uses.map((use) => {
        const [pluginRef, weight] = use.split("*");
        return { pluginRef, ...(weight === undefined ? {} : { weight: Number(weight) }) };
      }),
    })),
    ...more,
  };
}

/** A configuration in which nothing is wrong. */
export const PLAIN: Fields = config(
  [plugin("single-profile-handler"), plugin("queue-scorer"), plugin("max-score-picker")],
  { default: ["queue-scorer*1", "max-score-picker"] },
);

/** The same for prefill apart. */
export const SPLIT: Fields = config(
  [
    plugin("pd-profile-handler", { threshold: 0 }),
    plugin("prefill-header-handler"),
    plugin("prefill-filter"),
    plugin("decode-filter"),
    plugin("random-picker"),
  ],
  { prefill: ["prefill-filter", "random-picker"], decode: ["decode-filter", "random-picker"] },
);

/** Parts of a workload that a case changes. */
export interface PoolChange {
  readonly replicas?: number;
  readonly env?: Readonly<Record<string, string | Fields>>;
  readonly args?: readonly string[];
  readonly limits?: Fields;
  readonly requests?: Fields;
  readonly container?: Fields;
  readonly template?: Fields;
  readonly spec?: Fields;
}

/** A workload that asks for one GPU and all that goes with it. */
function workload(change: PoolChange): Fields {
  const limits = { cpu: "8", memory: "64Gi", "nvidia.com/gpu": "1", ...change.limits };
  const env = Object.entries(change.env ?? {}).map(([name, value]) =>
    typeof value === "string" ? { name, value } : { name, valueFrom: value },
  );
  return {
    replicas: change.replicas ?? 2,
    template: {
      containers: [
        {
          name: "main",
          env,
          ...(change.args === undefined ? {} : { args: change.args }),
          resources: { limits, requests: change.requests ?? limits },
          ...change.container,
        },
      ],
      tolerations: [{ key: "nvidia.com/gpu", operator: "Exists" }],
      topologySpreadConstraints: [{ maxSkew: 1 }],
      volumes: [{ name: "kserve-provision-location", emptyDir: {} }],
      ...change.template,
    },
    ...change.spec,
  };
}

/** What a case changes of a service. */
export interface ServiceChange extends PoolChange {
  readonly prefill?: PoolChange;
  readonly picker?: Fields | null;
  readonly flags?: readonly string[];
  readonly scheduler?: Fields;
  readonly metadata?: Fields;
  readonly model?: Fields;
}

/** An LLMInferenceService as JSON, which is YAML. */
export function service(change: ServiceChange = {}): string {
  const { prefill, metadata, model, flags } = change;
  const picker =
    change.picker === undefined ? (prefill === undefined ? PLAIN : SPLIT) : change.picker;
  return JSON.stringify(
    {
      apiVersion: "serving.kserve.io/v1alpha2",
      kind: "LLMInferenceService",
      metadata: { name: "chat", namespace: "demo", ...metadata },
      spec: {
        ...workload(change),
        model: { uri: "hf://Qwen/Qwen3-8B", name: "Qwen/Qwen3-8B", ...model },
        router: {
          scheduler: {
            ...(picker === null ? {} : { config: { inline: picker } }),
            ...(flags === undefined
              ? {}
              : { template: { containers: [{ name: "main", args: flags }] } }),
            ...change.scheduler,
          },
        },
        ...(prefill === undefined ? {} : { prefill: workload(prefill) }),
      },
    },
    null,
    1,
  );
}

/** Value of `--kv-transfer-config` as a variable holds it. */
export function transfer(fields: Fields = {}): string {
  const value = { kv_connector: "NixlConnector", kv_role: "kv_both", ...fields };
  return `--kv-transfer-config '${JSON.stringify(value)}'`;
}

/** Variables of an engine that transfers over RDMA as it should. */
export const NIXL: Readonly<Record<string, string | Fields>> = {
  VLLM_ADDITIONAL_ARGS: transfer({ kv_load_failure_policy: "recompute" }),
  VLLM_NIXL_SIDE_CHANNEL_HOST: { fieldRef: { fieldPath: "status.podIP" } },
};

/** What a rule must say of one service and must not say of another. */
export type Case = readonly [
  kind: `${string} ${Severity}`,
  bad: ServiceChange,
  good: ServiceChange,
  target?: TargetName,
];

export const HANDLER: Fields = plugin("single-profile-handler");
export const PICKER: Fields = plugin("max-score-picker");
export const QUEUE: Fields = plugin("queue-scorer");

/** A service whose profile has these scorers. */
export function scored(...uses: readonly string[]): ServiceChange {
  const scorers = uses.map((use) => plugin(use.split("*")[0] ?? ""));
  const profiles = { default: [...uses, "max-score-picker"] };
  return { picker: config([HANDLER, PICKER, ...scorers], profiles) };
}

/** A service with prefill apart; decode is like it unless given. */
export function both(prefill: PoolChange, decode: PoolChange = prefill): ServiceChange {
  return { ...decode, prefill };
}

/** A pool whose engine has these arguments. */
export function flagged(words: string): PoolChange {
  return { env: { VLLM_ADDITIONAL_ARGS: words } };
}

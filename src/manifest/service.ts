import type { ConfigNote, RouterConfig } from "../config/router-config.ts";
import type { SourcePosition } from "../core/config-error.ts";

/** An `LLMInferenceService` as plain data: what is to be served, on what, and how requests are routed. */
export interface Service {
  readonly namespace: string;
  readonly name: string;
  readonly apiVersion: string;
  /** Name that clients send as `model`. */
  readonly modelName: string;
  readonly modelUri: string;
  /** Annotations of the service's metadata. */
  readonly annotations: Readonly<Record<string, string>>;
  /** The main pool: serves whole requests, or the decode stage where `prefill` is present. */
  readonly main: Pool;
  readonly prefill: Pool | undefined;
  readonly picker: PickerConfigSource;
  readonly config: RouterConfig;
  /** What is accepted but has no effect here, or is probably not meant. */
  readonly notes: readonly ConfigNote[];
  readonly position: SourcePosition;
}

/** Which stage a pool serves; becomes the `llm-d.ai/role` label of its endpoints. */
export type PoolRole = "both" | "decode" | "prefill";

/** A set of equal endpoints. */
export interface Pool {
  readonly role: PoolRole;
  readonly replicas: number;
  readonly parallelism: Parallelism;
  /** Container `main`: requests and limits as written, such as `cpu: "4"`. */
  readonly requests: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, string>>;
  /** `nvidia.com/gpu` (or another vendor's) of the limits; 0 without. */
  readonly gpuCount: number;
  /** Extended resources other than GPUs, such as `rdma/roce_gdr`. */
  readonly extendedResources: Readonly<Record<string, string>>;
  readonly volumes: readonly Volume[];
  /** Multus networks of the pods (`k8s.v1.cni.cncf.io/networks`). */
  readonly networks: string | undefined;
  readonly env: readonly EnvVariable[];
  readonly engineArguments: EngineArguments;
  readonly livenessProbe: Probe | undefined;
  readonly tolerations: readonly unknown[];
  readonly transport: Transport;
  readonly position: SourcePosition;
}

/** GPUs that one engine spreads over. */
export interface Parallelism {
  readonly tensor: number;
  readonly pipeline: number;
  readonly data: number;
}

/** A volume of the pod template, by its source kind. */
export interface Volume {
  readonly name: string;
  /** Such as `persistentVolumeClaim`. */
  readonly source: string;
  /** Claim name where the source is a claim. */
  readonly claimName: string | undefined;
}

/** An environment variable: a literal, or where the value comes from (`status.podIP`). */
export interface EnvVariable {
  readonly name: string;
  readonly value: string | undefined;
  readonly valueFrom: string | undefined;
  readonly position: SourcePosition;
}

/** An HTTP probe as written. */
export interface Probe {
  readonly path: string;
  readonly port: string;
  readonly scheme: string;
  readonly initialDelaySeconds: number;
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly failureThreshold: number;
}

/** vLLM arguments that change an engine here; the rest is kept as text. */
export interface EngineArguments {
  readonly blockSize: number | undefined;
  readonly maxModelLen: number | undefined;
  readonly gpuMemoryUtilization: number | undefined;
  readonly maxNumSeqs: number | undefined;
  readonly maxNumBatchedTokens: number | undefined;
  readonly tensorParallelSize: number | undefined;
  readonly isPrefixCachingEnabled: boolean;
  readonly kvTransfer: KvTransferConfig | undefined;
  readonly isKvEventsEnabled: boolean;
  /** Flags as given, by their dashed name without leading dashes; a switch without value is "true". */
  readonly flags: ReadonlyMap<string, string>;
}

/** `--kv-transfer-config`. */
export interface KvTransferConfig {
  readonly connector: string;
  readonly role: "kv_both" | "kv_producer" | "kv_consumer";
  readonly loadFailurePolicy: "fail" | "recompute";
}

/** How KV-cache blocks can leave the host. */
export type Transport =
  /** RDMA device and a UCX transport that uses it. */
  | { readonly kind: "rdma"; readonly ucxTls: string }
  /** Sockets between hosts. */
  | { readonly kind: "tcp"; readonly ucxTls: string }
  /** No usable transport between hosts: transfers fail. */
  | { readonly kind: "none"; readonly ucxTls: string; readonly reason: string };

/** Where the picker configuration was found. */
export interface PickerConfigSource {
  readonly origin: "argument" | "inline" | "default";
  /** The EndpointPickerConfig as YAML text. */
  readonly text: string;
  /** Scheduler arguments with templates resolved, without the configuration. */
  readonly arguments: readonly string[];
}

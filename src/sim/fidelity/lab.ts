import { loadRouterConfig } from "../../config/load-router-config.ts";
import type { RouterConfig } from "../../config/router-config.ts";
import { invariant } from "../../core/invariant.ts";
import { ROLE_LABEL } from "../../endpoints/endpoint-table.ts";
import {
  type EngineConfig,
  type EngineSettings,
  fillEngineConfig,
} from "../../engine/engine-config.ts";
import { findGpu, type GpuSpec } from "../../engine/gpus.ts";
import type { ModelSpec } from "../../engine/model-spec.ts";
import { findModel } from "../../engine/models.ts";
import { createRegistry } from "../../plugin/registry.ts";
import { builtinPlugins } from "../../plugins/builtin-plugins.ts";
import type { EngineSpec } from "../scenario.ts";

/** An engine of a published set-up. */
export function labEngine(
  model: string,
  gpu: string,
  settings: Omit<EngineSettings, "model" | "gpu">,
): EngineConfig {
  return fillEngineConfig({ model: labModel(model), gpu: labGpu(gpu), ...settings });
}

/** A model that the tables have. */
export function labModel(name: string): ModelSpec {
  const model = findModel(name);
  invariant(model !== undefined, `no model ${name}`);
  return model;
}

/** A GPU that the tables have. */
export function labGpu(name: string): GpuSpec {
  const gpu = findGpu(name);
  invariant(gpu !== undefined, `no GPU ${name}`);
  return gpu;
}

/** Equal endpoints of one role. */
export function labPool(
  role: "both" | "decode" | "prefill",
  replicas: number,
  config: EngineConfig,
): readonly EngineSpec[] {
  return Array.from({ length: replicas }, (_, index) => ({
    name: `${role}-${index}`,
    labels: { [ROLE_LABEL]: role },
    config,
    link: { kind: "rdma" },
    isKvConnectorEnabled: role !== "both",
    hasSidecar: role === "decode",
  }));
}

/** Loads one of the configurations below. */
export function labConfig(text: string): RouterConfig {
  const registry = createRegistry(builtinPlugins);
  return loadRouterConfig({ text, file: "fidelity", registry });
}

/** kube-proxy picks a random endpoint for each connection. */
export const RANDOM_CONFIG = `
apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: single-profile-handler
- type: random-picker
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: random-picker
`;

/** Least waiting requests, whatever the prompt. */
export const LOAD_CONFIG = `
apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: single-profile-handler
- type: queue-scorer
- type: kv-cache-scorer
- type: max-score-picker
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: queue-scorer
  - pluginRef: kv-cache-scorer
  - pluginRef: max-score-picker
`;

/** Longest prefix first, then load; 450 blocks of 64 bytes are the published prompt of 7,200 tokens. */
export const PREFIX_CONFIG = `
apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: single-profile-handler
- type: prefix-cache-scorer
  parameters:
    hashBlockSize: 64
    maxPrefixBlocksToMatch: 450
    lruCapacityPerServer: 19208
- type: queue-scorer
- type: kv-cache-scorer
- type: max-score-picker
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: prefix-cache-scorer
    weight: 3
  - pluginRef: queue-scorer
    weight: 2
  - pluginRef: kv-cache-scorer
    weight: 2
  - pluginRef: max-score-picker
`;

/** Every request is split; both stages are chosen at random. */
export const SPLIT_CONFIG = `
apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: pd-profile-handler
  parameters:
    threshold: 0
- type: prefill-header-handler
- type: prefill-filter
- type: decode-filter
- type: random-picker
schedulingProfiles:
- name: prefill
  plugins:
  - pluginRef: prefill-filter
  - pluginRef: random-picker
- name: decode
  plugins:
  - pluginRef: decode-filter
  - pluginRef: random-picker
`;

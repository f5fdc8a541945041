import { definePlugin, type PluginDefinition, type Stability } from "../plugin/define-plugin.ts";

/** Types by kind and stability. */
type InertTypes = Readonly<Record<string, Readonly<Partial<Record<Stability, readonly string[]>>>>>;

/**
 * Types of llm-d's catalogue, today's and earlier ones, that have no behaviour here: a file that
 * names one loads, and the plugin does nothing.
 */
const INERT_TYPES: InertTypes = {
  handler: { deprecated: ["slo-aware-profile-handler"] },
  filter: {
    alpha: ["topology-affinity-filter", "multicluster-session-affinity-filter"],
    beta: ["slo-headroom-tier-filter"],
    stable: ["header-based-testing-filter"],
    deprecated: [
      "decision-tree-filter",
      "least-kv-cache-filter",
      "least-queue-filter",
      "lora-affinity-filter",
      "low-queue-filter",
    ],
  },
  scorer: {
    alpha: [
      "topology-affinity-scorer",
      "multicluster-queue-scorer",
      "multicluster-kv-cache-utilization-scorer",
      "multicluster-prefix-cache-scorer",
    ],
    stable: ["latency-scorer", "mm-embeddings-cache-scorer"],
    deprecated: ["predicted-latency-scorer", "slo-aware-routing"],
  },
  producer: {
    alpha: [
      "burst-prefix-cache-producer",
      "p2p-source-producer",
      "multicluster-approx-prefix-cache-producer",
    ],
    stable: ["predicted-latency-producer", "mm-embeddings-cache-producer"],
  },
  admitter: { stable: ["latency-slo-admitter", "probabilistic-admitter"] },
  requestControl: {
    alpha: ["agent-identity", "disaggregatedset-rollout-screener"],
    stable: ["request-attribute-reporter", "destination-endpoint-served-verifier"],
  },
  parser: {
    stable: [
      "openai-parser",
      "anthropic-parser",
      "vllmhttp-parser",
      "sglanghttp-parser",
      "vllmgrpc-parser",
      "vertexai-parser",
      "passthrough-parser",
    ],
  },
  flowControl: {
    alpha: ["priority-holdback-policy", "soft-reflective-ceiling-policy"],
    stable: [
      "global-strict-fairness-policy",
      "round-robin-fairness-policy",
      "program-aware-fairness",
      "fcfs-ordering-policy",
      "edf-ordering-policy",
      "slo-deadline-ordering-policy",
      "static-usage-limit-policy",
      "utilization-detector",
      "concurrency-detector",
      "sheddable-eviction-filter",
      "priority-then-time-eviction-order-policy",
    ],
    deprecated: ["eviction-sheddable-filter", "eviction-priority-then-time-ordering"],
  },
  dataLayer: {
    alpha: [
      "dcgm-data-source",
      "topology-extractor",
      "dcgm-extractor",
      "multicluster-file-discovery",
      "multicluster-metrics-data-source",
      "multicluster-metrics-extractor",
    ],
    stable: [
      "metrics-data-source",
      "models-data-source",
      "k8s-notification-source",
      "endpoint-notification-source",
      "core-metrics-extractor",
      "models-data-extractor",
      "file-discovery",
    ],
  },
};

/** Definitions without any role, which take whatever parameters a file gives them. */
export const inertPlugins: readonly PluginDefinition[] = Object.values(INERT_TYPES).flatMap(
  (byStability) =>
    (Object.entries(byStability) as [Stability, readonly string[]][]).flatMap(
      ([stability, types]) => types.map((type) => inertPlugin(type, stability)),
    ),
);

function inertPlugin(type: string, stability: Stability): PluginDefinition {
  return definePlugin({
    type,
    stability,
    state: "none",
    isInert: true,
    roles: [],
    params: (raw) => raw,
    create: () => ({}),
  });
}

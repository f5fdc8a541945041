import assert from "node:assert/strict";
import test from "node:test";
import { benchFor } from "../../test/fixtures/plugin-bench.ts";
import { builtinPlugins, knownPlugins } from "./builtin-plugins.ts";
import { inertPlugins } from "./inert-plugins.ts";

/** Every type name of llm-d's catalogue; names that loading maps to another one are not in it. */
const CATALOGUE = `
single-profile-handler data-parallel-profile-handler pd-profile-handler disagg-profile-handler
header-profile-handler slo-aware-profile-handler
always-disagg-pd-decider prefix-based-pd-decider always-disagg-multimodal-decider
prefill-header-handler disagg-headers-handler

decode-filter prefill-filter encode-filter by-label label-selector-filter header-based-testing-filter
session-affinity-filter endpoint-attribute-filter topology-affinity-filter utilization-filter
prefix-cache-affinity-filter slo-headroom-tier-filter context-length-aware
multicluster-session-affinity-filter
decision-tree-filter least-kv-cache-filter least-queue-filter lora-affinity-filter low-queue-filter

queue-scorer kv-cache-scorer kv-cache-utilization-scorer running-requests-size-scorer
lora-affinity-scorer load-aware-scorer active-request-scorer token-load-scorer prefix-cache-scorer
precise-prefix-cache-scorer no-hit-lru-scorer session-affinity-scorer topology-affinity-scorer
endpoint-attribute-scorer header-label-affinity-scorer mm-embeddings-cache-scorer latency-scorer
multicluster-queue-scorer multicluster-kv-cache-utilization-scorer multicluster-prefix-cache-scorer
slo-aware-routing predicted-latency-scorer

max-score-picker random-picker weighted-random-picker

approx-prefix-cache-producer burst-prefix-cache-producer precise-prefix-cache-producer
inflight-load-producer predicted-latency-producer token-producer mm-embeddings-cache-producer
session-id-producer p2p-source-producer agent-identity latency-slo-admitter probabilistic-admitter
request-attribute-reporter disaggregatedset-rollout-screener destination-endpoint-served-verifier
multicluster-approx-prefix-cache-producer
openai-parser anthropic-parser vllmhttp-parser sglanghttp-parser vllmgrpc-parser vertexai-parser
passthrough-parser

global-strict-fairness-policy round-robin-fairness-policy program-aware-fairness
fcfs-ordering-policy edf-ordering-policy slo-deadline-ordering-policy static-usage-limit-policy
priority-holdback-policy soft-reflective-ceiling-policy utilization-detector concurrency-detector
sheddable-eviction-filter eviction-sheddable-filter priority-then-time-eviction-order-policy
eviction-priority-then-time-ordering

metrics-data-source models-data-source dcgm-data-source k8s-notification-source
endpoint-notification-source core-metrics-extractor models-data-extractor topology-extractor
dcgm-extractor file-discovery multicluster-file-discovery multicluster-metrics-data-source
multicluster-metrics-extractor
`
  .trim()
  .split(/\s+/);

test("inert-plugins: with the builtin ones they are the whole catalogue, each type once", () => {
  const types = knownPlugins.map(({ type }) => type);
  assert.deepEqual(
    types.filter((type, index) => types.indexOf(type) !== index),
    [],
    "twice",
  );
  assert.deepEqual(
    CATALOGUE.filter((type) => !types.includes(type)),
    [],
    "missing",
  );
  assert.deepEqual(
    inertPlugins.map(({ type }) => type).filter((type) => !CATALOGUE.includes(type)),
    [],
    "not in the catalogue",
  );
});

test("inert-plugins: they say that they do nothing, and the builtin ones do not", () => {
  assert.ok(inertPlugins.every(({ isInert }) => isInert === true));
  assert.ok(builtinPlugins.every(({ isInert }) => isInert === undefined));
});

for (const definition of inertPlugins) {
  test(`inert-plugins: ${definition.type} takes any parameters and has no role`, () => {
    const parameters = { anything: [1, { deep: true }] };
    for (const given of [undefined, parameters]) {
      const { instance } = benchFor(definition, [{}], { parameters: given });
      assert.deepEqual(Object.keys(instance), []);
    }
    assert.deepEqual(definition.roles, []);
  });
}

const stabilities: readonly [type: string, want: string][] = [
  ["topology-affinity-filter", "alpha"],
  ["slo-headroom-tier-filter", "beta"],
  ["openai-parser", "stable"],
  ["predicted-latency-scorer", "deprecated"],
];
for (const [type, want] of stabilities) {
  test(`inert-plugins: ${type} is ${want}`, () => {
    assert.equal(inertPlugins.find((plugin) => plugin.type === type)?.stability, want);
  });
}

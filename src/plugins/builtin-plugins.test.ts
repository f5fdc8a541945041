import assert from "node:assert/strict";
import test from "node:test";
import { builtinPlugins } from "./builtin-plugins.ts";

/** Types that configurations name, by the description and llm-d. */
const PROMISED = [
  "active-request-filter",
  "active-request-scorer",
  "always-disagg-multimodal-decider",
  "always-disagg-pd-decider",
  "approx-prefix-cache-producer",
  "by-label",
  "by-label-selector",
  "context-length-aware",
  "data-parallel-profile-handler",
  "decode-filter",
  "disagg-headers-handler",
  "disagg-profile-handler",
  "encode-filter",
  "endpoint-attribute-filter",
  "endpoint-attribute-scorer",
  "header-label-affinity-scorer",
  "header-profile-handler",
  "inflight-load-producer",
  "kv-cache-scorer",
  "kv-cache-utilization-scorer",
  "label-selector-filter",
  "load-aware-scorer",
  "lora-affinity-scorer",
  "max-score-picker",
  "no-hit-lru-scorer",
  "pd-profile-handler",
  "prefill-filter",
  "prefill-header-handler",
  "prefix-based-pd-decider",
  "prefix-cache-affinity-filter",
  "prefix-cache-scorer",
  "queue-scorer",
  "random-picker",
  "running-requests-size-scorer",
  "session-affinity-filter",
  "session-affinity-scorer",
  "session-id-producer",
  "single-profile-handler",
  "token-load-scorer",
  "token-producer",
  "utilization-filter",
  "weighted-random-picker",
];

test("builtin-plugins: every promised type is there once", () => {
  const types = builtinPlugins.map((plugin) => plugin.type);
  assert.equal(new Set(types).size, types.length);
  assert.deepEqual(
    PROMISED.filter((type) => !types.includes(type)),
    [],
  );
});

test("builtin-plugins: what a plugin reads, another one produces", () => {
  const produced = new Set(builtinPlugins.flatMap((plugin) => plugin.produces ?? []));
  for (const plugin of builtinPlugins) {
    for (const attribute of plugin.reads ?? []) {
      assert.ok(produced.has(attribute), `${plugin.type} reads ${attribute.name}`);
    }
  }
});

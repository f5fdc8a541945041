import assert from "node:assert/strict";
import test from "node:test";
import { builtinPlugins } from "./builtin-plugins.ts";

/** Types that configurations name, by the description and llm-d. */
const PROMISED = [
  "approx-prefix-cache-producer",
  "decode-filter",
  "kv-cache-scorer",
  "max-score-picker",
  "pd-profile-handler",
  "prefill-filter",
  "prefill-header-handler",
  "prefix-cache-scorer",
  "queue-scorer",
  "random-picker",
  "single-profile-handler",
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

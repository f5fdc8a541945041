import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../core/config-error.ts";
import { createRegistry } from "../plugin/registry.ts";
import { knownPlugins } from "../plugins/builtin-plugins.ts";
import { describeMappings } from "./describe-mappings.ts";
import { loadRouterConfig } from "./load-router-config.ts";
import type { RouterConfig } from "./router-config.ts";

const registry = createRegistry(knownPlugins);

function load(group: string, gate: string): RouterConfig {
  const text = `apiVersion: ${group}/v1alpha1
kind: EndpointPickerConfig
featureGates:
- ${JSON.stringify(gate)}
plugins:
- type: queue-scorer
`;
  return loadRouterConfig({ text, file: "f", registry });
}

for (const gate of [
  "flowControl",
  "flowControl=true",
  " flowControl = FALSE ",
  "flowControl=T",
  "haPopulateNonLeaderDatastore=0",
]) {
  test(`feature gates: ${gate} is known and noted`, () => {
    const messages = load("llm-d.ai", gate).notes.map(({ message }) => message);
    assert.equal(messages[0], "featureGates has no effect here yet");
  });
}

const FAULTS: readonly (readonly [gate: string, message: RegExp])[] = [
  ["flowcontrol", /unknown feature gate flowcontrol; did you mean flowControl\? \(allowed: flowC/],
  ["flowControl=maybe", /flowControl is true or false, not "maybe" \(allowed: true, false\)/],
  ["flowControl=", /flowControl is true or false, not ""/],
  ["=true", /unknown feature gate {2}\(allowed/],
  ["dataLayer", /unknown feature gate dataLayer/],
  ["enableLegacyMetrics=false", /unknown feature gate enableLegacyMetrics/],
];
for (const [gate, message] of FAULTS) {
  test(`feature gates: ${gate} is one fault`, () => {
    assert.throws(
      () => load("llm-d.ai", gate),
      (error) =>
        error instanceof ConfigError &&
        error.faults.length === 1 &&
        error.message.startsWith("f:4:3: featureGates[0]: ") &&
        message.test(error.message),
    );
  });
}

test("feature gates: one that llm-d removed is an older form in the byte era", () => {
  assert.deepEqual(describeMappings(load("inference.networking.x-k8s.io", "dataLayer")).slice(1), [
    "dataLayer → nothing (since llm-d-router 0.9): llm-d refuses to start with it",
  ]);
});

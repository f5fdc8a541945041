import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, describeFault } from "../core/config-error.ts";
import { createRegistry } from "../plugin/registry.ts";
import { knownPlugins } from "../plugins/builtin-plugins.ts";
import { loadRouterConfig } from "./load-router-config.ts";
import type { RouterConfig } from "./router-config.ts";

const registry = createRegistry(knownPlugins);
const load = (text: string): RouterConfig => loadRouterConfig({ text, file: "f", registry });

const CONFIG = `apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins: [{type: queue-scorer}]
`;
const OBJECTIVE = `---
apiVersion: llm-d.ai/v1alpha1
kind: InferenceObjective
metadata:
  name: now
spec:
  priority: 10
  poolRef: {group: inference.networking.k8s.io, name: pool}
`;
const REWRITE = `---
apiVersion: inference.networking.x-k8s.io/v1alpha2
kind: InferenceModelRewrite
metadata:
  name: canary
spec:
  rules:
  - matches:
    - model:
        type: Exact
        value: llama
    targets:
    - modelRewrite: llama-2
      weight: 10
    - modelRewrite: llama-3
  - targets:
    - modelRewrite: base
`;

test("pool objects: they load from documents beside the configuration, in any order", () => {
  const background = OBJECTIVE.replace("now", "later").replace("priority: 10", "priority: -1");
  const unset = OBJECTIVE.replace("now", "unset").replace("  priority: 10\n", "");
  const config = load(`${OBJECTIVE}${background}${unset}---\n${CONFIG}${REWRITE}`);
  assert.deepEqual(config.objectives, [
    { name: "now", priority: 10 },
    { name: "later", priority: -1 },
    { name: "unset", priority: 0 },
  ]);
  assert.deepEqual(config.rewrites, [
    {
      name: "canary",
      rules: [
        {
          matches: ["llama"],
          targets: [
            { model: "llama-2", weight: 10 },
            { model: "llama-3", weight: undefined },
          ],
        },
        { matches: [], targets: [{ model: "base", weight: undefined }] },
      ],
    },
  ]);
  assert.deepEqual(load(CONFIG).objectives, []);
});

test("pool objects: the oldest rewrite comes first", () => {
  const aged = (name: string, created: string): string =>
    REWRITE.replace("name: canary", `name: ${name}\n  creationTimestamp: ${created}`);
  const text = CONFIG + aged("young", "2025-11-13T00:00:00Z") + aged("old", "2025-11-12T00:00:00Z");
  assert.deepEqual(
    load(text).rewrites.map(({ name }) => name),
    ["old", "young"],
  );
});

/** What is replaced by what in which object; where and what the one fault is. */
const FAULTS: readonly (readonly [string, string, string, string, RegExp])[] = [
  [OBJECTIVE, "llm-d.ai/v1alpha1", "v1", "5:1: apiVersion", /unknown apiVersion "v1" \(allowed/],
  [OBJECTIVE, "  name: now", "  label: now", "7:1: metadata.name", /is required/],
  [OBJECTIVE, "priority: 10", "priority: 1.5", "10:3: spec.priority", /must be an integer/],
  [OBJECTIVE, "priority: 10", "priority: 3000000000", "10:3: spec.priority", /at most 2147483647/],
  [OBJECTIVE, "priority: 10", "criticality: 10", "10:3: spec.criticality", /unknown field/],
  [OBJECTIVE, "group:", "grup:", "11:13: spec.poolRef.grup", /unknown field/],
  [REWRITE, "type: Exact", "type: Prefix", "13:9: spec.rules[0].matches[0].model.type", /"Prefix"/],
  [REWRITE, "        value: llama\n", "", "12:7: spec.rules[0].matches[0].model.value", /required/],
  [REWRITE, "weight: 10", "weight: -1", "17:7: spec.rules[0].targets[0].weight", /integer/],
  [REWRITE, "weight: 10", "weight: 1000001", "17:7: spec.rules[0].targets[0].weight", /at most/],
  [REWRITE, "weight: 10", "wait: 10", "17:7: spec.rules[0].targets[0].wait", /unknown field/],
  [REWRITE, "    - modelRewrite: base\n", "", "19:5: spec.rules[1].targets", /at least one target/],
  [REWRITE, "spec:\n  rules:", "spec:\n  rule:", "10:3: spec.rule", /unknown field/],
];
for (const [object, from, to, at, message] of FAULTS) {
  test(`pool objects: ${to.trim().replaceAll("\n", " ") || `no ${from.trim()}`} is one fault at ${at}`, () => {
    assert.ok(object.includes(from));
    const faults = faultsOf(CONFIG + object.replace(from, to)).filter(
      (fault) => !/spec\.rules: is required/.test(fault),
    );
    assert.equal(faults.length, 1, faults.join("\n"));
    assert.ok(faults[0]?.startsWith(`f:${at}: `), faults[0]);
    assert.match(faults[0] ?? "", message);
  });
}

test("pool objects: a name is used once for each kind", () => {
  assert.deepEqual(faultsOf(CONFIG + OBJECTIVE + REWRITE.replace("canary", "now")), []);
  assert.match(faultsOf(CONFIG + OBJECTIVE + OBJECTIVE)[0] ?? "", /named now exists already/);
});

test("pool objects: without configuration there is nothing to load", () => {
  assert.match(faultsOf(OBJECTIVE)[0] ?? "", /f holds no EndpointPickerConfig/);
});

function faultsOf(text: string): readonly string[] {
  try {
    load(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(describeFault);
    throw error;
  }
  return [];
}

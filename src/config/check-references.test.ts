import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { ConfigError, describeFault } from "../core/config-error.ts";
import { definePlugin } from "../plugin/define-plugin.ts";
import { paramsOf } from "../plugin/params.ts";
import { createRegistry } from "../plugin/registry.ts";
import { knownPlugins } from "../plugins/builtin-plugins.ts";
import { loadRouterConfig } from "./load-router-config.ts";

const decodeParams = paramsOf(z.strictObject({ next: z.array(z.string()) }));

/** A filter that names other filters. */
const linked = definePlugin({
  type: "linked-filter",
  stability: "stable",
  roles: ["filter"],
  params: decodeParams,
  references: ({ next }) =>
    next.map((name, index) => ({ path: `next[${index}]`, name, role: "filter" as const })),
  create: () => ({ filter: () => undefined }),
});
const registry = createRegistry([...knownPlugins, linked]);

function faultsOf(links: Readonly<Record<string, readonly string[]>>): readonly string[] {
  const plugins = Object.entries(links).map(
    ([name, next]) =>
      `- {type: linked-filter, name: ${name}, parameters: {next: [${next.join(", ")}]}}`,
  );
  const head = ["apiVersion: llm-d.ai/v1alpha1", "kind: EndpointPickerConfig", "plugins:"];
  const text = [...head, ...plugins, "- type: max-score-picker", ""].join("\n");
  try {
    loadRouterConfig({ text, file: "f", registry });
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(describeFault);
    throw error;
  }
  return [];
}

const CASES: readonly [
  name: string,
  links: Readonly<Record<string, readonly string[]>>,
  want: readonly RegExp[],
][] = [
  ["a chain is no loop", { a: ["b"], b: ["c"], c: [] }, []],
  ["two ways to one plugin are no loop", { a: ["b", "c"], b: ["d"], c: ["d"], d: [] }, []],
  [
    "itself",
    { a: ["a"] },
    [/^f:4:\d+: plugins\[0\]\.parameters\.next\[0\]: refers back to itself: a → a$/],
  ],
  [
    "two plugins",
    { a: ["b"], b: ["a"] },
    [/^f:5:\d+: plugins\[1\]\.parameters\.next\[0\]: refers back to itself: a → b → a$/],
  ],
  [
    "a loop that is entered from outside",
    { z: ["a"], a: ["b"], b: ["c"], c: ["a"] },
    [/^f:7:\d+: plugins\[3\]\.parameters\.next\[0\]: refers back to itself: a → b → c → a$/],
  ],
  [
    "nobody of that name",
    { a: ["lates"], latest: [] },
    [
      /plugins\[0\].*next\[0\]: no plugin is named lates; did you mean latest\? \(allowed: a, latest\)$/,
    ],
  ],
  [
    "another role",
    { a: ["max-score-picker"] },
    [/max-score-picker is a max-score-picker, which cannot filter \(allowed: a\)$/],
  ],
];
for (const [name, links, want] of CASES) {
  test(`references: ${name}`, () => {
    const faults = faultsOf(links);
    assert.equal(faults.length, want.length, faults.join("\n"));
    for (const [index, pattern] of want.entries()) assert.match(faults[index] ?? "", pattern);
  });
}

test("references: a handler's nested parameter is where its decider is missed", () => {
  const handler = (parameters: string): string => `apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: always-disagg-pd-decider
- type: disagg-profile-handler
  parameters: ${parameters}
- type: random-picker
schedulingProfiles:
- {name: prefill, plugins: [{pluginRef: random-picker}]}
- {name: decode, plugins: [{pluginRef: random-picker}]}
`;
  const decider = (name: string): string => handler(`{deciders: {prefill: ${name}}}`);
  const load = (text: string): unknown => loadRouterConfig({ text, file: "f", registry });
  load(decider("always-disagg-pd-decider"));
  assert.throws(() => load(decider("always-disag-pd-decider")), {
    message:
      "f:6:27: plugins[1].parameters.deciders.prefill: no plugin is named always-disag-pd-decider; " +
      "did you mean always-disagg-pd-decider? (allowed: always-disagg-pd-decider)",
  });
  assert.throws(() => load(handler("{prefillDeciderPluginName: random-picker}")), {
    message:
      "f:6:16: plugins[1].parameters.prefillDeciderPluginName: random-picker is a random-picker, " +
      "which cannot decide (allowed: always-disagg-pd-decider)",
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRegistry } from "../plugin/registry.ts";
import { knownPlugins } from "../plugins/builtin-plugins.ts";
import { describeMappings } from "./describe-mappings.ts";
import { loadRouterConfig } from "./load-router-config.ts";
import { migrateConfig } from "./migrate-config.ts";

const registry = createRegistry(knownPlugins);

type Uses = readonly (readonly [ref: string, weight?: number])[];

/** A configuration as KServe generates it. */
function generated(
  apiVersion: string,
  plugins: readonly string[],
  profiles: Readonly<Record<string, Uses>>,
): string {
  return [
    `apiVersion: ${apiVersion}`,
    "kind: EndpointPickerConfig",
    "plugins:",
    ...plugins.map((plugin) => `- ${plugin}`),
    "schedulingProfiles:",
    ...Object.entries(profiles).flatMap(([name, uses]) => [
      `- name: ${name}`,
      "  plugins:",
      ...uses.flatMap(([ref, weight]) => [
        `  - pluginRef: ${ref}`,
        ...(weight === undefined ? [] : [`    weight: ${weight}`]),
      ]),
    ]),
    "",
  ].join("\n");
}

const OLD = "inference.networking.x-k8s.io/v1alpha1";
const NEW = "llm-d.ai/v1alpha1";
const types = (...names: readonly string[]): readonly string[] =>
  names.map((name) => `type: ${name}`);
const PICK = ["max-score-picker"] as const;
const LOAD_AWARE: Uses = [["prefix-cache-scorer", 2], ["load-aware-scorer", 1], PICK];
const QUEUE_PREFIX: Uses = [["queue-scorer", 2], ["prefix-cache-scorer", 3], PICK];
const FILTERS = ["prefill-filter", "decode-filter"] as const;
const handler = (text: string): string => `type: pd-profile-handler\n  parameters: ${text}`;
const split = (uses: Uses): Readonly<Record<string, Uses>> => ({
  prefill: [["prefill-filter"], ...uses],
  decode: [["decode-filter"], ...uses],
});
const HEAD: Uses = [
  ["queue-scorer", 2],
  ["kv-cache-utilization-scorer", 2],
  ["prefix-cache-scorer", 3],
  ["no-hit-lru-scorer", 2],
  PICK,
];
const HEAD_TYPES = types("single-profile-handler", ...HEAD.map(([type]) => type));

const CONFIGS: Readonly<Record<string, string>> = {
  "0.16 single": generated(
    OLD,
    types("single-profile-handler", "prefix-cache-scorer", "load-aware-scorer", "max-score-picker"),
    { default: LOAD_AWARE },
  ),
  "0.16 P/D": generated(
    OLD,
    [
      ...types("prefill-header-handler", ...FILTERS),
      ...types("prefix-cache-scorer", "load-aware-scorer", "max-score-picker"),
      handler("{threshold: 100}"),
    ],
    split(LOAD_AWARE),
  ),
  "ODH 3.0 P/D": generated(
    OLD,
    [
      ...types("prefill-header-handler", ...FILTERS, "prefix-cache-scorer", "queue-scorer"),
      "type: max-score-picker",
      handler("{threshold: 0}"),
    ],
    split([["queue-scorer", 1], PICK]),
  ),
  "0.17 single": generated(
    OLD,
    types("single-profile-handler", "queue-scorer", "prefix-cache-scorer", "max-score-picker"),
    { default: QUEUE_PREFIX },
  ),
  "0.18 P/D": generated(
    OLD,
    [
      ...types("prefill-header-handler", ...FILTERS, "queue-scorer", "prefix-cache-scorer"),
      ...types("max-score-picker", "always-disagg-pd-decider"),
      handler("{deciderPluginName: always-disagg-pd-decider}"),
    ],
    split(QUEUE_PREFIX),
  ),
  "0.19 P/D": generated(
    OLD,
    [
      ...types("disagg-headers-handler", ...FILTERS, "queue-scorer", "prefix-cache-scorer"),
      ...types("max-score-picker", "always-disagg-pd-decider"),
      "type: disagg-profile-handler\n  parameters: {deciders: {prefill: always-disagg-pd-decider}}",
    ],
    split(QUEUE_PREFIX),
  ),
  "0.20 single": generated(NEW, HEAD_TYPES, { default: HEAD }),
  "0.20 single with LoRA": generated(NEW, [...HEAD_TYPES, "type: lora-affinity-scorer"], {
    default: [["lora-affinity-scorer", 4], ...HEAD],
  }),
  "0.20 P/D": generated(
    NEW,
    [
      ...types(...FILTERS, "prefix-cache-scorer", "queue-scorer", "kv-cache-utilization-scorer"),
      ...types("active-request-scorer", "max-score-picker", "always-disagg-pd-decider"),
      "type: disagg-profile-handler\n  parameters: {deciders: {prefill: always-disagg-pd-decider}}",
    ],
    {
      prefill: [
        ["prefill-filter"],
        ["prefix-cache-scorer", 3],
        ["queue-scorer", 2],
        ["kv-cache-utilization-scorer", 2],
        PICK,
      ],
      decode: [["decode-filter"], ["active-request-scorer", 2], ["prefix-cache-scorer", 3], PICK],
    },
  ),
};

for (const [name, text] of Object.entries(CONFIGS)) {
  test(`kserve: the default of ${name} loads in both eras, and as migrated`, () => {
    for (const version of [OLD, NEW]) {
      const source = { text: text.replace(/^apiVersion: .*/, `apiVersion: ${version}`) };
      const config = loadRouterConfig({ ...source, file: "f", registry });
      assert.ok(config.plugins.some(({ definition }) => definition.roles.includes("handler")));
      const migrated = migrateConfig({ ...source, file: "f", registry });
      const again = loadRouterConfig({ text: migrated.text, file: "f", registry });
      assert.deepEqual(describeMappings(again), []);
      assert.deepEqual(
        again.profiles.map((profile) => profile.plugins.map(({ weight }) => weight)),
        config.profiles.map((profile) => profile.plugins.map(({ weight }) => weight)),
      );
    }
  });
}

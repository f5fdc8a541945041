import assert from "node:assert/strict";
import { test } from "node:test";
import { testRegistry as registry, SINGLE, SPLIT } from "../../test/fixtures/picker-configs.ts";
import { ConfigError, describeFault } from "../core/config-error.ts";
import { loadRouterConfig } from "./load-router-config.ts";

/** What is replaced by what; line, column and path of the one fault, and its message. */
type Row = readonly [name: string, replaced: string, by: string, at: string, message: RegExp];

const SINGLE_ROWS: readonly Row[] = [
  [
    "unknown apiVersion",
    "inference.networking.x-k8s.io/v1alpha1",
    "llm-d.ai/v2",
    "1:1: apiVersion",
    /unknown apiVersion "llm-d.ai\/v2".*allowed: .*llm-d.ai\/v1alpha1/,
  ],
  [
    "missing kind",
    "kind: EndpointPickerConfig\n",
    "",
    "1:1: kind",
    /required.*allowed: .*EndpointPickerConfig/,
  ],
  [
    "unknown kind",
    "kind: EndpointPickerConfig",
    "kind: Pod",
    "2:1: kind",
    /unknown kind.*allowed: .*EndpointPickerConfig/,
  ],
  [
    "unknown top field",
    "plugins:\n- type: single",
    "pluginz: 1\nplugins:\n- type: single",
    "3:1: pluginz",
    /unknown field.*allowed: .*plugins/,
  ],
  [
    "plugins not a list",
    SINGLE.slice(SINGLE.indexOf("plugins:")),
    "plugins: 3\n",
    "3:1: plugins",
    /must be a list, not a number/,
  ],
  [
    "missing type",
    "- type: queue-scorer",
    "- name: queue-scorer",
    "6:3: plugins[2].type",
    /required.*allowed: .*queue-scorer/,
  ],
  [
    "type not a string",
    "- type: queue-scorer",
    "- name: queue-scorer\n  type: 7",
    "7:3: plugins[2].type",
    /write "7" in quotes/,
  ],
  [
    "unregistered type",
    "- type: queue-scorer",
    "- name: queue-scorer\n  type: queue-scorr",
    "7:3: plugins[2].type",
    /queue-scorr; did you mean queue-scorer\?.*allowed: .*max-score-picker/,
  ],
  [
    "unlike any type",
    "- type: queue-scorer",
    "- name: queue-scorer\n  type: telepathy",
    "7:3: plugins[2].type",
    /unregistered plugin type telepathy .*allowed: .*max-score-picker/,
  ],
  [
    "alpha type",
    "- type: queue-scorer",
    "- type: queue-scorer\n- type: alpha-filter",
    "7:3: plugins[3].type",
    /--allow-experimental-plugins/,
  ],
  [
    "duplicate name",
    "- type: queue-scorer",
    "- type: queue-scorer\n- type: random-picker\n  name: queue-scorer",
    "8:3: plugins[3].name",
    /queue-scorer exists already/,
  ],
  [
    "same type twice",
    "- type: queue-scorer",
    "- type: queue-scorer\n- type: queue-scorer",
    "7:3: plugins[3].type",
    /queue-scorer exists already/,
  ],
  [
    "unknown plugin field",
    "- type: queue-scorer",
    "- type: queue-scorer\n  params: {}",
    "7:3: plugins[2].params",
    /unknown field.*allowed: .*parameters/,
  ],
  [
    "unknown cache parameter",
    "hashBlockSize: 64",
    "blockSizes: 64",
    "9:5: plugins[3].parameters.blockSizes",
    /unknown field.*allowed: .*blockSize/,
  ],
  [
    "zero cache parameter",
    "lruCapacityPerServer: 39744",
    "lruCapacityPerServer: 0",
    "11:5: plugins[3].parameters.lruCapacityPerServer",
    /at least 1/,
  ],
  [
    "cache parameter not an integer",
    "maxPrefixBlocksToMatch: 256",
    "maxPrefixBlocksToMatch: 2.5",
    "10:5: plugins[3].parameters.maxPrefixBlocksToMatch",
    /integer/,
  ],
  [
    "two block sizes",
    "hashBlockSize: 64",
    "hashBlockSize: 64\n    blockSizeTokens: 16",
    "10:5: plugins[3].parameters.blockSizeTokens",
    /given by hashBlockSize/,
  ],
  [
    "autoTune not a boolean",
    "hashBlockSize: 64",
    "autoTune: 1",
    "9:5: plugins[3].parameters.autoTune",
    /true or false/,
  ],
  [
    "parameters not a mapping",
    "- type: queue-scorer",
    "- type: queue-scorer\n  parameters: [1]",
    "7:3: plugins[2].parameters",
    /must be a mapping, not a list/,
  ],
  [
    "parameter of a plugin without any",
    "- type: queue-scorer",
    "- type: queue-scorer\n  parameters:\n    depth: 1",
    "8:5: plugins[2].parameters.depth",
    /takes no parameters/,
  ],
  [
    "missing profile name",
    "- name: default\n  plugins",
    "- plugins",
    "13:3: schedulingProfiles[0].name",
    /required/,
  ],
  [
    "missing pluginRef",
    "- pluginRef: queue-scorer\n    weight",
    "- weight",
    "17:5: schedulingProfiles[0].plugins[1].pluginRef",
    /required.*allowed: .*queue-scorer/,
  ],
  [
    "undefined pluginRef",
    "- pluginRef: queue-scorer",
    "- pluginRef: queue-scores",
    "17:5: schedulingProfiles[0].plugins[1].pluginRef",
    /did you mean queue-scorer\?.*allowed: .*max-score-picker/,
  ],
  [
    "the internal producer cannot be referred to",
    "- pluginRef: queue-scorer",
    "- pluginRef: prefix-cache-scorer-producer",
    "17:5: schedulingProfiles[0].plugins[1].pluginRef",
    /no plugin is named/,
  ],
  [
    "negative weight",
    "weight: 1.0",
    "weight: -1",
    "18:5: schedulingProfiles[0].plugins[1].weight",
    /finite number of at least 0/,
  ],
  [
    "infinite weight",
    "weight: 1.0",
    "weight: .inf",
    "18:5: schedulingProfiles[0].plugins[1].weight",
    /finite/,
  ],
  [
    "weight not a number",
    "weight: 1.0",
    'weight: "1"',
    "18:5: schedulingProfiles[0].plugins[1].weight",
    /number/,
  ],
  [
    "two handlers",
    "- type: max-score-picker",
    "- {type: single-profile-handler, name: again}\n- type: max-score-picker",
    "5:3: plugins[1]",
    /again is another/,
  ],
  [
    "feature gates not a list",
    "kind: EndpointPickerConfig",
    "kind: EndpointPickerConfig\nfeatureGates: 1",
    "3:1: featureGates",
    /must be a list/,
  ],
  [
    "cache parameters beside a producer",
    "- type: queue-scorer",
    "- type: queue-scorer\n- type: approx-prefix-cache-producer",
    "9:3: plugins[4].parameters",
    /the cache is configured by the approx-prefix-cache-producer/,
  ],
  [
    "duplicate key",
    "kind: EndpointPickerConfig",
    "kind: EndpointPickerConfig\nkind: EndpointPickerConfig",
    "3:1",
    /duplicate key/,
  ],
  ["syntax error", "kind: EndpointPickerConfig", "kind: [", "3:1", /./],
  [
    "two documents",
    "schedulingProfiles:",
    "---\nschedulingProfiles:",
    "13:1",
    /this is a second one/,
  ],
];

const SPLIT_ROWS: readonly Row[] = [
  [
    "unknown parameter",
    "threshold: 100",
    "treshold: 100",
    "6:5: plugins[0].parameters.treshold",
    /unknown field/,
  ],
  [
    "parameter out of range",
    "threshold: 100",
    "threshold: -1",
    "6:5: plugins[0].parameters.threshold",
    /./,
  ],
  [
    "duplicate profile name",
    "- name: decode",
    "- name: prefill\n  plugins: [{pluginRef: random-picker}]\n- name: decode",
    "15:3: schedulingProfiles[1].name",
    /prefill exists already/,
  ],
  [
    "profile without plugins",
    "  plugins:\n  - pluginRef: prefill-filter\n  - pluginRef: random-picker\n",
    "",
    "11:3: schedulingProfiles[0].plugins",
    /at least one plugin/,
  ],
  [
    "two pickers in a profile",
    "- type: random-picker\nschedulingProfiles:\n- name: prefill\n  plugins:\n",
    "- type: random-picker\n- {type: max-score-picker, name: other}\nschedulingProfiles:\n- name: prefill\n  plugins:\n  - pluginRef: other\n",
    "16:5: schedulingProfiles[0].plugins[2].pluginRef",
    /other comes before random-picker/,
  ],
  [
    "no handler for two profiles",
    "- type: pd-profile-handler\n  parameters:\n    threshold: 100\n",
    "",
    "3:1: plugins",
    /2 profiles need a profile handler.*allowed: .*pd-profile-handler/,
  ],
  [
    "handler that misses a profile",
    "- name: decode",
    "- name: decoder",
    "4:3: plugins[0]",
    /missing: decode/,
  ],
  [
    "single handler with two profiles",
    "pd-profile-handler\n  parameters:\n    threshold: 100",
    "single-profile-handler",
    "4:3: plugins[0]",
    /exactly one profile/,
  ],
];

for (const [base, rows] of [
  [SINGLE, SINGLE_ROWS],
  [SPLIT, SPLIT_ROWS],
] as const) {
  for (const [name, replaced, by, at, message] of rows) {
    test(`config fault: ${name}`, () => {
      assert.ok(base.includes(replaced), "the variant changes the text");
      const faults = describeFaults(base.replace(replaced, by));
      assert.equal(faults.length, 1, faults.join("\n"));
      assert.equal(faults[0]?.startsWith(`f:${at}: `), true, `${faults[0]} is not at ${at}`);
      assert.match(faults[0] ?? "", message);
    });
  }
}

function describeFaults(text: string): readonly string[] {
  try {
    loadRouterConfig({ text, file: "f", registry });
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(describeFault);
    throw error;
  }
  return [];
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRegistry } from "../plugin/registry.ts";
import { knownPlugins } from "../plugins/builtin-plugins.ts";
import { loadRouterConfig } from "./load-router-config.ts";
import { migrateConfig } from "./migrate-config.ts";
import type { Migration } from "./migration-draft.ts";

const registry = createRegistry(knownPlugins);
const migrate = (text: string): Migration => migrateConfig({ text, file: "f", registry });

const OLD = "apiVersion: inference.networking.x-k8s.io/v1alpha1\nkind: EndpointPickerConfig\n";
const NEW = "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n";

const PICKER = "- type: max-score-picker\n";
const STAGES = `schedulingProfiles:
- {name: prefill, plugins: [{pluginRef: max-score-picker}]}
- {name: decode, plugins: [{pluginRef: max-score-picker}]}
`;

interface Row {
  readonly name: string;
  readonly before: string;
  readonly after: string;
  /** What is told of a changed meaning. */
  readonly meaning?: readonly RegExp[];
}

const ROWS: readonly Row[] = [
  {
    name: "a precise scorer is split, and profiles follow the half that scores",
    before: `plugins:
- type: precise-prefix-cache-scorer # exact
  parameters:
    indexerConfig:
      tokenProcessorConfig:
        blockSizeTokens: 64
        hashSeed: "42"
      tokenizersPoolConfig: {modelName: org/model}
    speculativeIndexing: true
${PICKER}schedulingProfiles:
- name: default
  plugins:
  - pluginRef: precise-prefix-cache-scorer
    weight: 3
  - pluginRef: max-score-picker
`,
    after: `plugins:
- type: precise-prefix-cache-producer # exact
  parameters:
    speculativeIndexing: true
    tokenProcessorConfig:
      blockSizeTokens: 64
      hashSeed: "42"
- type: prefix-cache-scorer
  parameters:
    prefixMatchInfoProducerName: precise-prefix-cache-producer
- type: token-producer
  parameters:
    modelName: org/model
${PICKER}schedulingProfiles:
- name: default
  plugins:
  - pluginRef: prefix-cache-scorer
    weight: 3
  - pluginRef: max-score-picker
`,
  },
  {
    name: "a named precise scorer keeps its name where it scores",
    before: `plugins:
- {type: precise-prefix-cache-scorer, name: exact}
- {type: precise-prefix-cache-producer}
${PICKER}`,
    after: `plugins:
- {type: precise-prefix-cache-producer, name: precise-prefix-cache-producer-2}
- type: prefix-cache-scorer
  name: exact
  parameters:
    prefixMatchInfoProducerName: precise-prefix-cache-producer-2
- {type: precise-prefix-cache-producer}
${PICKER}`,
  },
  {
    name: "types and references are renamed, comments and weights stay",
    before: `plugins: # all
# usage
- type: kv-cache-scorer # of the cache
  parameters: {mode: utilization}
- {"type": "by-label-selector", name: mine, parameters: {matchLabels: {a: b}}}
${PICKER}schedulingProfiles:
- name: default
  plugins:
    - pluginRef:   kv-cache-scorer   # odd
      weight: 2
    - pluginRef: mine
`,
    after: `plugins: # all
# usage
- type: kv-cache-utilization-scorer # of the cache
- {"type": "label-selector-filter", name: mine, parameters: {matchLabels: {a: b}}}
${PICKER}schedulingProfiles:
- name: default
  plugins:
    - pluginRef:   kv-cache-utilization-scorer   # odd
      weight: 2
    - pluginRef: mine
`,
    meaning: [/kv-cache-scorer also matches blocks/],
  },
  {
    name: "a taken name keeps the older one",
    before: `plugins:\n- type: kv-cache-scorer\n- type: kv-cache-utilization-scorer\n`,
    after: `plugins:
- type: kv-cache-utilization-scorer
  name: kv-cache-scorer
- type: kv-cache-utilization-scorer
`,
    meaning: [/kv-cache-scorer/],
  },
  {
    name: "a scorer's cache becomes a producer beside its comments",
    before: `plugins:
- name: warm
  type: prefix-cache-scorer
  parameters:
    # in bytes
    hashBlockSize: 128 # two of vLLM's
    matchLengthWeight: 0.5
    lruCapacityPerServer: 9
${PICKER}schedulingProfiles: [{name: default, plugins: [{pluginRef: warm, weight: 3}]}]
`,
    after: `plugins:
- type: approx-prefix-cache-producer
  parameters:
    # in bytes
    blockSizeTokens: 32 # two of vLLM's
    lruCapacityPerServer: 9
    maxPrefixTokensToMatch: 8192
    autoTune: false
- type: prefix-cache-scorer
  name: warm
  parameters:
    matchLengthWeight: 0.5
${PICKER}schedulingProfiles: [{name: default, plugins: [{pluginRef: warm, weight: 3}]}]
`,
  },
  {
    name: "a scorer without parameters gets what was its default",
    before: `plugins:\n# warm first\n- type: prefix-cache-scorer\n`,
    after: `plugins:
- type: approx-prefix-cache-producer
  parameters:
    autoTune: false
    blockSizeTokens: 16
    maxPrefixTokensToMatch: 4096
    lruCapacityPerServer: 31250
# warm first
- type: prefix-cache-scorer
`,
  },
  {
    name: "scorers of equal caches share one producer, others have their own",
    before: `plugins:
- {type: prefix-cache-scorer, parameters: {hashBlockSize: 64}}
- {type: prefix-cache-scorer, name: b, parameters: {blockSizeTokens: 16}}
- {type: prefix-cache-scorer, name: c, parameters: {hashBlockSize: 50}}
`,
    after: `plugins:
- {type: approx-prefix-cache-producer, parameters: {blockSizeTokens: 16, maxPrefixTokensToMatch: 4096, autoTune: false}}
- type: prefix-cache-scorer
- {type: prefix-cache-scorer, name: b}
- {type: approx-prefix-cache-producer, name: c-producer, parameters: {blockSizeTokens: 16, maxPrefixTokensToMatch: 4096, autoTune: false}}
- type: prefix-cache-scorer
  name: c
  parameters:
    prefixMatchInfoProducerName: c-producer
`,
    meaning: [/c-producer: .* 16 tokens, 64 bytes in place of 50/],
  },
  {
    name: "a producer of the byte era says its defaults",
    before: `plugins:\n- type: approx-prefix-cache-producer\n- type: prefix-cache-scorer\n`,
    after: `plugins:
- type: approx-prefix-cache-producer
  parameters:
    maxPrefixTokensToMatch: 4096
    autoTune: false
- type: prefix-cache-scorer
`,
  },
  {
    name: "a default producer of the byte era is written",
    before: `plugins:\n- type: no-hit-lru-scorer\n`,
    after: `plugins:
- type: no-hit-lru-scorer
- type: approx-prefix-cache-producer
  parameters:
    autoTune: false
    blockSizeTokens: 16
    maxPrefixTokensToMatch: 4096
    lruCapacityPerServer: 31250
`,
  },
  {
    name: "threshold 0 splits always",
    before: `plugins:\n- type: pd-profile-handler\n${PICKER}${STAGES}`,
    after: `plugins:
- type: always-disagg-pd-decider
- type: disagg-profile-handler
  parameters:
    deciders:
      prefill: always-disagg-pd-decider
${PICKER}${STAGES}`,
  },
  {
    name: "a threshold becomes tokens, and profiles keep their names",
    before: `plugins:
# splits
- type: pd-profile-handler
  parameters:
    threshold: 30001 # bytes
    decodeProfile: decode
    hashBlockSize: 64
    prefillProfile: prefill
${PICKER}${STAGES}`,
    after: `plugins:
- type: prefix-based-pd-decider
  parameters:
    nonCachedTokens: 7501
# splits
- type: disagg-profile-handler
  parameters:
    deciders:
      prefill: prefix-based-pd-decider # bytes
    profiles:
      decode: decode
      prefill: prefill
${PICKER}${STAGES}`,
    meaning: [/30001 bytes become 7501 tokens/, /no plugin kept a prefix cache/],
  },
  {
    name: "a named decider moves",
    before: `plugins:
- type: always-disagg-pd-decider
- type: pd-profile-handler
  parameters: {deciderPluginName: always-disagg-pd-decider, prefixPluginName: x}
${PICKER}${STAGES}`,
    after: `plugins:
- type: always-disagg-pd-decider
- type: disagg-profile-handler
  parameters: {deciders: {prefill: always-disagg-pd-decider}}
${PICKER}${STAGES}`,
  },
  {
    name: "a handler with a port of its own stays, with a decider",
    before: `plugins:
- {type: pd-profile-handler, parameters: {threshold: 3, primaryPort: 8000}}
${PICKER}${STAGES}`,
    after: `plugins:
- type: prefix-based-pd-decider
  parameters:
    nonCachedTokens: 1
- {type: pd-profile-handler, parameters: {deciderPluginName: prefix-based-pd-decider, primaryPort: 8000}}
${PICKER}${STAGES}`,
    meaning: [/3 bytes become 1 tokens/, /no plugin kept/],
  },
  {
    name: "sections and gates move",
    before: `featureGates:
- dataLayer # gone
- flowControl=True
saturationDetector:
  pluginRef: utilization-detector # full
parser: {pluginRef: openai-parser}
plugins:
- type: utilization-detector
- type: openai-parser
`,
    after: `featureGates:
- flowControl=True
flowControl:
  saturationDetector:
    pluginRef: utilization-detector # full
requestHandler:
  parsers:
    - pluginRef: openai-parser
plugins:
- type: utilization-detector
- type: openai-parser
`,
  },
  {
    name: "the newer section wins, a detector's thresholds become a plugin",
    before: `parser: {pluginRef: a}
requestHandler: {parsers: [{pluginRef: openai-parser}]}
saturationDetector: {queueDepthThreshold: 9}
flowControl: {maxRequests: 5}
plugins:
- type: openai-parser
`,
    after: `requestHandler: {parsers: [{pluginRef: openai-parser}]}
flowControl: {maxRequests: 5, saturationDetector: {pluginRef: utilization-detector}}
plugins:
- type: openai-parser
- type: utilization-detector
  parameters:
    queueDepthThreshold: 9
`,
  },
  {
    name: "an alias is written out, so that an edit does not reach its other uses",
    before: `plugins:
- {type: prefix-cache-scorer, parameters: &cache {hashBlockSize: 128}}
- {type: prefix-cache-scorer, name: b, parameters: *cache}
`,
    after: `plugins:
- {type: approx-prefix-cache-producer, parameters: &cache {blockSizeTokens: 32, maxPrefixTokensToMatch: 8192, autoTune: false}}
- type: prefix-cache-scorer
- {type: prefix-cache-scorer, name: b}
`,
  },
];

for (const { name, before, after, meaning = [] } of ROWS) {
  test(`migrate: ${name}`, () => {
    const migration = migrate(OLD + before);
    assert.equal(migration.text, NEW + after);
    const changed = migration.changes.filter(({ isMeaningChanged }) => isMeaningChanged);
    assert.equal(changed.length, meaning.length, JSON.stringify(changed));
    for (const [index, want] of meaning.entries())
      assert.match(changed[index]?.message ?? "", want);
    assert.deepEqual(migrate(migration.text), { text: migration.text, changes: [] });
  });
}

test("migrate: JSON stays JSON", () => {
  const config = {
    apiVersion: "inference.networking.x-k8s.io/v1alpha1",
    kind: "EndpointPickerConfig",
    plugins: [
      { type: "pd-profile-handler", parameters: { threshold: 400 } },
      { type: "prefix-cache-scorer", parameters: { hashBlockSize: 64 } },
      { type: "max-score-picker" },
    ],
    schedulingProfiles: ["prefill", "decode"].map((name) => ({
      name,
      plugins: [{ pluginRef: "prefix-cache-scorer" }, { pluginRef: "max-score-picker" }],
    })),
  };
  for (const indent of [undefined, 2]) {
    const migrated: unknown = JSON.parse(migrate(JSON.stringify(config, undefined, indent)).text);
    assert.deepEqual(migrated, {
      ...config,
      apiVersion: "llm-d.ai/v1alpha1",
      plugins: [
        { type: "prefix-based-pd-decider", parameters: { nonCachedTokens: 100 } },
        {
          type: "disagg-profile-handler",
          parameters: { deciders: { prefill: "prefix-based-pd-decider" } },
        },
        {
          type: "approx-prefix-cache-producer",
          parameters: { blockSizeTokens: 16, maxPrefixTokensToMatch: 4096, autoTune: false },
        },
        { type: "prefix-cache-scorer" },
        { type: "max-score-picker" },
      ],
    });
  }
});

test("migrate: Windows line ends stay", () => {
  const row = ROWS.find(({ name }) => name.startsWith("threshold 0"));
  const lines = (text: string): string => text.replaceAll("\n", "\r\n");
  const before = lines(OLD + (row?.before ?? ""));
  const { text } = migrate(before);
  const again = loadRouterConfig({ text, file: "f", registry });
  assert.deepEqual(
    again.plugins.map(({ name }) => name),
    ["always-disagg-pd-decider", "disagg-profile-handler", "max-score-picker"],
  );
});

test("migrate: other documents of the file keep their bytes", () => {
  const objective = `---
# first
apiVersion: inference.networking.x-k8s.io/v1alpha2
kind: InferenceObjective
metadata: {name:   now}
spec: {priority: 5}
`;
  const config = `---\n${OLD}plugins:\n- type: queue-scorer\n`;
  const { text } = migrate(objective + config);
  assert.equal(text, objective + config.replace("inference.networking.x-k8s.io", "llm-d.ai"));
});

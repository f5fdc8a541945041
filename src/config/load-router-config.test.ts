import assert from "node:assert/strict";
import { test } from "node:test";
import { testRegistry as registry, SINGLE, SPLIT } from "../../test/fixtures/picker-configs.ts";
import { ConfigError, type ConfigFault } from "../core/config-error.ts";
import { definePlugin, noParams } from "../plugin/define-plugin.ts";
import { createRegistry } from "../plugin/registry.ts";
import { knownPlugins } from "../plugins/builtin-plugins.ts";
import { describeConfig } from "./describe-config.ts";
import { loadRouterConfig } from "./load-router-config.ts";
import type { RouterConfig } from "./router-config.ts";

const load = (text: string): RouterConfig => loadRouterConfig({ text, file: "epp.yaml", registry });

function faultsOf(text: string): readonly ConfigFault[] {
  try {
    load(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

const messagesOf = (config: RouterConfig): string[] => config.notes.map(({ message }) => message);

/** Lines after the heading, for small configurations. */
const withPlugins = (...lines: string[]): string =>
  [...SINGLE.split("\n").slice(0, 3), ...lines, ""].join("\n");

test("config: both eras, YAML and JSON, load to the same internal form", () => {
  const expected = describeConfig(load(SINGLE));
  assert.deepEqual(expected, {
    plugins: [
      plugin("single-profile-handler", ["handler"]),
      plugin("max-score-picker", ["pick"]),
      plugin("queue-scorer", ["score"]),
      {
        ...plugin("approx-prefix-cache-producer", ["produce", "onPlan"]),
        name: "prefix-cache-scorer-producer",
        parameters: { blockBytes: 64, maxPrefixBlocksToMatch: 256, lruCapacityPerServer: 39744 },
      },
      plugin("prefix-cache-scorer", ["score"]),
    ],
    profiles: [
      {
        name: "default",
        plugins: [
          { pluginRef: "prefix-cache-scorer", weight: 2 },
          { pluginRef: "queue-scorer", weight: 1 },
          { pluginRef: "max-score-picker" },
        ],
      },
    ],
    objectives: [],
    rewrites: [],
    mappings: [
      "inference.networking.x-k8s.io/v1alpha1 → llm-d.ai/v1alpha1 (since llm-d-router 0.9): llm-d reads the older one still",
      ...CACHE_MAPPINGS,
    ],
    notes: [],
  });
  const today = SINGLE.replace("inference.networking.x-k8s.io", "llm-d.ai");
  assert.deepEqual(describeConfig(load(today)), { ...Object(expected), mappings: CACHE_MAPPINGS });
  const json = JSON.stringify(
    {
      apiVersion: "llm-d.ai/v1alpha1",
      kind: "EndpointPickerConfig",
      plugins: [
        { type: "single-profile-handler" },
        { type: "max-score-picker" },
        { type: "queue-scorer" },
        { type: "prefix-cache-scorer", parameters: { lruCapacityPerServer: 39744 } },
      ],
      schedulingProfiles: [
        {
          name: "default",
          plugins: [
            { pluginRef: "prefix-cache-scorer", weight: 2 },
            { pluginRef: "queue-scorer", weight: 1 },
            { pluginRef: "max-score-picker" },
          ],
        },
      ],
    },
    undefined,
    "\t",
  );
  const mappings = CACHE_MAPPINGS.slice(-1);
  assert.deepEqual(describeConfig(load(json)), { ...Object(expected), mappings });
});

const CACHE_MAPPINGS = [
  "prefix-cache-scorer.hashBlockSize → approx-prefix-cache-producer.blockSizeTokens (since GAIE 1.5): bytes / 4, rounded up, at least 16",
  "prefix-cache-scorer.maxPrefixBlocksToMatch → approx-prefix-cache-producer.maxPrefixTokensToMatch (since GAIE 1.5): blocks × tokens of a block",
  "prefix-cache-scorer.lruCapacityPerServer → approx-prefix-cache-producer.lruCapacityPerServer (since GAIE 1.5)",
];

function plugin(type: string, roles: readonly string[]): Record<string, unknown> {
  return { name: type, type, roles, stability: "stable", parameters: {} };
}

test("config fault: every fault is told at once, in the order of the file, with what is allowed", () => {
  const text = SINGLE.replace("kind: EndpointPickerConfig", "kind: Pod")
    .replace("hashBlockSize", "hashSize")
    .replace("weight: 1.0", "weight: no");
  assert.throws(() => load(text), {
    name: "ConfigError",
    message: [
      'epp.yaml:2:1: kind: unknown kind "Pod" (allowed: EndpointPickerConfig)',
      "epp.yaml:9:5: plugins[3].parameters.hashSize: unknown field (allowed: hashBlockSize, blockSize, blockSizeTokens, maxPrefixBlocksToMatch, maxPrefixTokensToMatch, lruCapacityPerServer, autoTune, prefixMatchInfoProducerName, matchLengthWeight, matchLengthScaleTokens)",
      "epp.yaml:18:5: schedulingProfiles[0].plugins[1].weight: must be a finite number of at least 0",
    ].join("\n"),
  });
});

test("config: an empty text is an error", () => {
  for (const text of ["", "# nothing\n", "---\n"])
    assert.match(faultsOf(text)[0]?.message ?? "", /epp.yaml holds no EndpointPickerConfig/);
});

test("config: what is left out is filled in, each with a note", () => {
  const bare = load(withPlugins("- type: queue-scorer", "- type: decode-filter"));
  assert.deepEqual(bare.profiles, [
    {
      name: "default",
      plugins: [
        { pluginRef: "queue-scorer", weight: 1 },
        { pluginRef: "decode-filter", weight: 1 },
        { pluginRef: "max-score-picker", weight: 1 },
      ],
    },
  ]);
  assert.deepEqual(
    bare.plugins.map(({ name }) => name),
    ["queue-scorer", "decode-filter", "max-score-picker", "single-profile-handler"],
  );
  assert.deepEqual(messagesOf(bare), [
    "no scheduling profile: default with every usable plugin is used",
    "profile default has no picker: max-score-picker is used",
    "no profile handler: single-profile-handler is used",
  ]);
  const weightless = load(SINGLE.replace("    weight: 1.0\n", ""));
  assert.equal(weightless.profiles[0]?.plugins[1]?.weight, 1);
  assert.deepEqual(weightless.notes, [
    {
      message: "queue-scorer has no weight: 1 is used",
      position: { file: "epp.yaml", line: 17, column: 5 },
    },
  ]);
});

test("config: a profile without picker takes the declared one", () => {
  const config = load(
    SPLIT.replace(
      "  - pluginRef: prefill-filter\n  - pluginRef: random-picker",
      "  - pluginRef: prefill-filter",
    ),
  );
  assert.deepEqual(
    config.profiles.map(({ plugins }) => plugins.at(-1)?.pluginRef),
    ["random-picker", "random-picker"],
  );
  assert.equal(config.plugins.length, 4);
});

test("config: sections without effect are accepted and noted", () => {
  const config = load(
    `${SINGLE}featureGates: [flowControl]\nflowControl: {maxBytes: 1Gi}\nparser: {pluginRef: x}\n`,
  );
  assert.deepEqual(messagesOf(config), [
    "featureGates has no effect here yet",
    "flowControl has no effect here yet",
    "parser has no effect here yet",
  ]);
});

test("config: deprecated types and profile entries without effect are noted", () => {
  const config = load(
    SPLIT.replace(
      "- type: random-picker",
      "- type: prefill-header-handler\n- type: random-picker",
    ).replace(
      "  - pluginRef: decode-filter",
      "  - pluginRef: prefill-header-handler\n  - pluginRef: decode-filter",
    ),
  );
  assert.deepEqual(messagesOf(config), [
    "pd-profile-handler is deprecated",
    "prefill-header-handler is deprecated",
    "prefill-header-handler has no effect in a profile: it acts by being listed in plugins",
  ]);
});

test("config: alpha plugins load when they are allowed", () => {
  const text = SINGLE.replace("- type: queue-scorer", "- type: queue-scorer\n- type: alpha-filter");
  const config = loadRouterConfig({ text, file: "epp.yaml", registry, allowAlpha: true });
  assert.ok(config.plugins.some(({ name }) => name === "alpha-filter"));
});

test("config: a renamed type is used where only its later name is registered", () => {
  const renamed = definePlugin({
    stability: "beta",
    roles: ["filter"],
    type: "label-selector-filter",
    params: noParams,
    create: () => ({ filter: () => undefined }),
  });
  const config = loadRouterConfig({
    text: withPlugins("- type: by-label-selector"),
    file: "epp.yaml",
    registry: createRegistry([
      ...knownPlugins.filter(({ type }) => !/label-selector/.test(type)),
      renamed,
    ]),
  });
  assert.equal(config.plugins[0]?.definition.type, "label-selector-filter");
  assert.equal(config.plugins[0]?.name, "by-label-selector");
  assert.equal(messagesOf(config)[0], "by-label-selector is called label-selector-filter today");
});

const CACHES: readonly {
  readonly parameters: string;
  readonly want: readonly [blockBytes: number, blocks: number, capacity: number];
  readonly notes: readonly RegExp[];
}[] = [
  { parameters: "{}", want: [64, 256, 31250], notes: [] },
  { parameters: "{hashBlockSize: 128}", want: [128, 256, 31250], notes: [] },
  { parameters: "{blockSize: 32}", want: [32, 256, 31250], notes: [/blockSize 32 .* 32 bytes/] },
  {
    parameters: "{blockSizeTokens: 16, maxPrefixBlocksToMatch: 5}",
    want: [64, 5, 31250],
    notes: [/blockSizeTokens 16 .* 64 bytes/],
  },
  {
    parameters: "{autoTune: true, lruCapacityPerServer: 9}",
    want: [64, 256, 9],
    notes: [/autoTune has no effect/],
  },
];

for (const { parameters, want, notes } of CACHES) {
  for (const type of ["prefix-cache-scorer", "approx-prefix-cache-producer"]) {
    test(`prefix cache: ${type} ${parameters}`, () => {
      const config = load(
        SINGLE.replace(
          /- type: prefix-cache-scorer[\s\S]*(?=schedulingProfiles)/,
          [
            `- {type: ${type}, parameters: ${parameters}}`,
            ...(type === "prefix-cache-scorer" ? [] : ["- type: prefix-cache-scorer"]),
            "",
          ].join("\n"),
        ),
      );
      const producers = config.plugins.filter(
        ({ definition }) => definition.type === "approx-prefix-cache-producer",
      );
      const [blockBytes, maxPrefixBlocksToMatch, lruCapacityPerServer] = want;
      assert.deepEqual(
        producers.map((producer) => producer.parameters),
        [{ blockBytes, maxPrefixBlocksToMatch, lruCapacityPerServer }],
      );
      assert.equal(config.notes.length, notes.length);
      for (const [index, note] of notes.entries())
        assert.match(config.notes[index]?.message ?? "", note);
    });
  }
}

test("prefix cache: scorers of equal caches share a producer, others have one of their own", () => {
  const second = (parameters: string): string =>
    SINGLE.replace(
      "- type: queue-scorer",
      `- type: queue-scorer\n- {type: prefix-cache-scorer, name: b, parameters: ${parameters}}`,
    );
  const producersOf = (config: RouterConfig): string[] =>
    config.plugins.map(({ name }) => name).filter((name) => name.endsWith("-producer"));
  const same = load(second("{lruCapacityPerServer: 39744}"));
  assert.deepEqual(producersOf(same), ["b-producer"]);
  const other = load(second("{hashBlockSize: 32}"));
  assert.deepEqual(producersOf(other), ["b-producer", "prefix-cache-scorer-producer"]);
  assert.deepEqual(other.plugins.find(({ name }) => name === "prefix-cache-scorer")?.parameters, {
    prefixMatchInfoProducerName: "prefix-cache-scorer-producer",
  });
});

test("prefix cache: the name of the producer may not be taken", () => {
  const [fault] = faultsOf(
    SINGLE.replace(
      "- type: queue-scorer",
      "- type: queue-scorer\n- {type: random-picker, name: prefix-cache-scorer-producer}",
    ),
  );
  assert.match(fault?.message ?? "", /prefix-cache-scorer-producer is needed/);
});

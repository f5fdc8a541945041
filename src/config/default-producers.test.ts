import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../core/config-error.ts";
import { definePlugin, noParams, type PluginDefinition } from "../plugin/define-plugin.ts";
import { createRegistry } from "../plugin/registry.ts";
import { type RequestAttribute, requestAttribute } from "../plugin/request-attribute.ts";
import { knownPlugins } from "../plugins/builtin-plugins.ts";
import { loadRouterConfig } from "./load-router-config.ts";
import type { RouterConfig } from "./router-config.ts";

const one = requestAttribute<number>("one");
const other = requestAttribute<number>("other");

function producer(
  type: string,
  produces: readonly RequestAttribute<unknown>[],
  reads: readonly RequestAttribute<unknown>[],
): PluginDefinition {
  return definePlugin({
    type,
    stability: "stable",
    roles: ["produce"],
    produces,
    reads,
    params: noParams,
    create: () => ({ produce: () => undefined }),
  });
}

const registry = createRegistry([
  ...knownPlugins,
  producer("one-producer", [one], []),
  producer("other-producer", [other], [one]),
  producer("one-of-other", [one], [other]),
]);

function load(apiVersion: string, ...plugins: readonly string[]): RouterConfig {
  const head = [`apiVersion: ${apiVersion}/v1alpha1`, "kind: EndpointPickerConfig", "plugins:"];
  const text = [...head, ...plugins.map((plugin) => `- ${plugin}`), ""].join("\n");
  return loadRouterConfig({ text, file: "f", registry });
}

const today = (...plugins: readonly string[]): RouterConfig => load("llm-d.ai", ...plugins);
const namesOf = ({ plugins }: RouterConfig): readonly string[] => plugins.map(({ name }) => name);

function faultOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return "";
}

const CASES: readonly [plugin: string, producers: readonly string[]][] = [
  ["type: queue-scorer", []],
  ["type: active-request-scorer", []],
  ["type: prefix-cache-scorer", ["approx-prefix-cache-producer"]],
  ["type: no-hit-lru-scorer", ["approx-prefix-cache-producer"]],
  ["type: context-length-aware", ["token-producer"]],
  ["type: token-load-scorer", ["approx-prefix-cache-producer", "token-producer"]],
  [
    "{type: prefix-cache-scorer, parameters: {prefixMatchInfoProducerName: approx-prefix-cache-producer}}",
    ["approx-prefix-cache-producer"],
  ],
];
for (const [plugin, producers] of CASES) {
  test(`default producers: ${plugin} needs ${producers.join(" and ") || "none"}`, () => {
    const config = today(plugin);
    assert.deepEqual(
      namesOf(config).filter((name) => name.endsWith("-producer")),
      producers,
    );
  });
}

test("default producers: each is noted at the plugin that needs it", () => {
  const notes = today("type: no-hit-lru-scorer").notes.filter(({ message }) =>
    message.includes("needs"),
  );
  assert.deepEqual(notes, [
    {
      message:
        "no-hit-lru-scorer needs prefix-match: approx-prefix-cache-producer with its defaults is used",
      position: { file: "f", line: 4, column: 3 },
    },
  ]);
});

test("default producers: the defaults are those of the era", () => {
  const cacheOf = (config: RouterConfig): unknown =>
    config.plugins.find(({ name }) => name === "approx-prefix-cache-producer")?.parameters;
  const rest = { blockBytes: 64, lruCapacityPerServer: 31_250 };
  assert.deepEqual(cacheOf(today("type: no-hit-lru-scorer")), {
    ...rest,
    maxPrefixBlocksToMatch: 8192,
  });
  const old = load("inference.networking.x-k8s.io", "type: no-hit-lru-scorer");
  assert.deepEqual(cacheOf(old), { ...rest, maxPrefixBlocksToMatch: 256 });
});

test("default producers: a handler makes do without, as its threshold did", () => {
  const text = `apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins: [{type: pd-profile-handler, parameters: {threshold: 9}}, {type: random-picker}]
schedulingProfiles:
- {name: prefill, plugins: [{pluginRef: random-picker}]}
- {name: decode, plugins: [{pluginRef: random-picker}]}
`;
  const config = loadRouterConfig({ text, file: "f", registry });
  assert.deepEqual(namesOf(config), ["pd-profile-handler", "random-picker"]);
});

test("default producers: what nobody produces is told at who needs it", () => {
  assert.equal(
    faultOf(() => today("type: queue-scorer", "type: other-producer")),
    "f:5:3: plugins[1]: other-producer needs one, which nobody produces (allowed: one-producer, one-of-other)",
  );
});

test("default producers: a producer runs after those that it reads", () => {
  const config = today("type: other-producer", "type: queue-scorer", "type: one-producer");
  assert.deepEqual(namesOf(config).slice(0, 3), ["one-producer", "queue-scorer", "other-producer"]);
});

test("default producers: two that need each other are one fault", () => {
  assert.match(
    faultOf(() => today("type: other-producer", "type: one-of-other")),
    /^f:4:3: plugins\[0\]: other-producer and one-of-other each need what the other produces$/,
  );
});

test("default producers: several by name, and a scorer picks one", () => {
  const config = today(
    "{type: approx-prefix-cache-producer, name: short, parameters: {maxPrefixTokensToMatch: 64}}",
    "{type: approx-prefix-cache-producer, name: long}",
    "{type: prefix-cache-scorer, parameters: {prefixMatchInfoProducerName: long, matchLengthWeight: 0.5}}",
  );
  assert.deepEqual(
    config.plugins.slice(0, 3).map(({ name, parameters }) => [name, parameters]),
    [
      ["short", { blockBytes: 64, maxPrefixBlocksToMatch: 4, lruCapacityPerServer: 31_250 }],
      ["long", { blockBytes: 64, maxPrefixBlocksToMatch: 8192, lruCapacityPerServer: 31_250 }],
      ["prefix-cache-scorer", { prefixMatchInfoProducerName: "long", matchLengthWeight: 0.5 }],
    ],
  );
});

test("default producers: the precise prefix cache is none that another is added beside", () => {
  const config = today("type: precise-prefix-cache-producer", "type: prefix-cache-scorer");
  assert.equal(namesOf(config).includes("approx-prefix-cache-producer"), false);
  assert.deepEqual(
    config.notes.filter(({ message }) => message.includes("no effect")),
    [],
  );
});

test("inert types: they load with a note, stand in profiles and may be named", () => {
  const config = today(
    "type: predicted-latency-producer",
    "{type: prefix-cache-scorer, parameters: {prefixMatchInfoProducerName: predicted-latency-producer}}",
    "{type: topology-affinity-scorer, parameters: {anything: [1]}}",
  );
  const messages = config.notes.map(({ message }) => message);
  for (const type of ["predicted-latency-producer", "topology-affinity-scorer"])
    assert.ok(messages.includes(`${type} has no effect here yet`), messages.join("\n"));
  assert.ok(
    messages.includes(
      "prefix-cache-scorer asks predicted-latency-producer, which has no effect here yet",
    ),
  );
  assert.equal(namesOf(config).includes("approx-prefix-cache-producer"), false);
});

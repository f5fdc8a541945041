import assert from "node:assert/strict";
import { test } from "node:test";
import { loadRouterConfig } from "../config/load-router-config.ts";
import type { RouterConfig } from "../config/router-config.ts";
import { kvEventAccess } from "./kv-event-access.ts";
import { builtinRegistry } from "./plugin-registry.ts";

function configWith(plugin: string): RouterConfig {
  const text = `
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: queue-scorer
- type: max-score-picker
- type: single-profile-handler
${plugin}
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: queue-scorer
  - pluginRef: max-score-picker
`;
  return loadRouterConfig({ text, file: "picker.yaml", registry: builtinRegistry() });
}

const PRODUCER = "- type: precise-prefix-cache-producer";
const withEvents = (kvEventsConfig: string): string =>
  `${PRODUCER}\n  parameters: { kvEventsConfig: ${kvEventsConfig} }`;

for (const { name, plugin = "", flags = {}, want } of [
  { name: "nobody asks", want: undefined },
  {
    name: "the flag alone",
    flags: { port: 6000 },
    want: { port: 6000, replayPort: 0, topicFilter: "" },
  },
  {
    name: "the producer without parameters",
    plugin: PRODUCER,
    want: { port: 5557, replayPort: 0, topicFilter: "" },
  },
  {
    name: "llm-d's parameters",
    plugin: withEvents(
      '{ topicFilter: "kv@", podDiscoveryConfig: { socketPort: 5556, replaySocketPort: 5559 } }',
    ),
    want: { port: 5556, replayPort: 5559, topicFilter: "kv@" },
  },
  {
    name: "flags go before parameters, each for itself",
    plugin: withEvents("{ podDiscoveryConfig: { socketPort: 5556, replaySocketPort: 5559 } }"),
    flags: { port: 1, topicFilter: "x" },
    want: { port: 1, replayPort: 5559, topicFilter: "x" },
  },
  {
    name: "an address to bind beside discovered pods",
    plugin: withEvents('{ zmqEndpoint: "tcp://*:5557" }'),
    want: { port: 5557, replayPort: 0, topicFilter: "" },
  },
  {
    name: "an address to bind where a flag says the port",
    plugin: withEvents('{ zmqEndpoint: "tcp://*:5557", discoverPods: false }'),
    flags: { port: 6000 },
    want: { port: 6000, replayPort: 0, topicFilter: "" },
  },
  {
    name: "pods are not to be discovered",
    plugin: withEvents("{ discoverPods: false }"),
    want: undefined,
  },
]) {
  test(`kv-event-access: ${name}`, () => {
    assert.deepEqual(kvEventAccess(configWith(plugin), flags), want);
  });
}

test("kv-event-access: a port that is none is a fault at its place", () => {
  assert.throws(
    () => configWith(withEvents("{ podDiscoveryConfig: { socketPort: 0 } }")),
    /picker\.yaml:9:\d+: .*kvEventsConfig\.podDiscoveryConfig\.socketPort: /,
  );
});

test("kv-event-access: engines that would connect to the router are a fault", () => {
  const plugin = withEvents('{ zmqEndpoint: "tcp://*:5557", discoverPods: false }');
  assert.throws(() => kvEventAccess(configWith(plugin), {}), /kvEventsConfig\.zmqEndpoint: /);
});

for (const flags of [{ replayPort: 1 }, { topicFilter: "kv@" }]) {
  test(`kv-event-access: ${Object.keys(flags).join()} needs the events' port`, () => {
    assert.throws(() => kvEventAccess(configWith(""), flags), /--kv-events-port/);
  });
}

import assert from "node:assert/strict";
import test from "node:test";
import { DEFAULT_CONFIG_TEXT, DEFAULT_PD_CONFIG_TEXT } from "../config/default-config.ts";
import { loadRouterConfig } from "../config/load-router-config.ts";
import type { RouterConfig } from "../config/router-config.ts";
import { ConfigError } from "../core/config-error.ts";
import { builtinRegistry } from "./plugin-registry.ts";
import { fitForThreads } from "./thread-fitness.ts";

function configOf(text: string): RouterConfig {
  return loadRouterConfig({ file: "picker.yaml", text, registry: builtinRegistry() });
}

function withPlugin(plugin: string): RouterConfig {
  const head = "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\nplugins:\n";
  return configOf(`${head}- type: queue-scorer\n- ${plugin}\n`);
}

function reasonAgainst(config: RouterConfig, hasKvEvents = false): string {
  try {
    fitForThreads(config, { hasKvEvents });
    return "";
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

test("thread-fitness: the configurations that hold unless set are fit", () => {
  for (const text of [DEFAULT_CONFIG_TEXT, DEFAULT_PD_CONFIG_TEXT]) {
    assert.equal(reasonAgainst(configOf(text)), "");
  }
});

test("thread-fitness: what is refused is named, with its line", () => {
  for (const [plugin, reason] of [
    ["type: no-hit-lru-scorer", /:5:\d+: --threads: plugin no-hit-lru-scorer keeps private state/],
    ["{ type: no-hit-lru-scorer, name: lru }", /plugin lru \(no-hit-lru-scorer\) keeps private/],
    [
      "type: precise-prefix-cache-producer",
      /plugin precise-prefix-cache-producer keeps private state/,
    ],
    [
      "{ type: token-producer, parameters: { modelName: m } }",
      /:5:\d+: --threads: plugin token-producer asks for tokens, which threads do not share/,
    ],
  ] as const) {
    assert.match(reasonAgainst(withPlugin(plugin)), reason);
  }
  const estimate = "{ type: token-producer, parameters: { estimate: {} } }";
  assert.equal(reasonAgainst(withPlugin(estimate)), "");
});

test("thread-fitness: engines' KV events are refused, whoever asks for them", () => {
  const config = configOf(DEFAULT_CONFIG_TEXT);
  assert.match(reasonAgainst(config, true), /--threads: engines' KV events .* run one thread/);
});

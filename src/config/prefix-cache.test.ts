import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../core/config-error.ts";
import { createRegistry } from "../plugin/registry.ts";
import { knownPlugins } from "../plugins/builtin-plugins.ts";
import { loadRouterConfig } from "./load-router-config.ts";

const registry = createRegistry(knownPlugins);

function producerOf(parameters: string): { parameters: unknown; notes: readonly string[] } {
  const text = `apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- {type: approx-prefix-cache-producer, parameters: ${parameters}}
- type: max-score-picker
schedulingProfiles: [{name: default, plugins: [{pluginRef: max-score-picker}]}]
`;
  const { plugins, notes } = loadRouterConfig({ text, file: "f", registry });
  const messages = notes.map(({ message }) => message);
  return {
    parameters: plugins[0]?.parameters,
    notes: messages.filter((message) => !message.startsWith("no profile handler")),
  };
}

/** Parameters in tokens; block bytes, blocks and capacity; notes. */
const CASES: readonly [string, readonly [number, number, number], readonly RegExp[]][] = [
  ["{}", [64, 8192, 31_250], []],
  ["{autoTune: false}", [64, 8192, 31_250], []],
  ["{autoTune: true}", [64, 8192, 31_250], [/^autoTune has no effect/]],
  ["{blockSizeTokens: 64}", [256, 2048, 31_250], [/64 is read as blocks of 256 bytes/]],
  ["{blockSizeTokens: 1}", [64, 8192, 31_250], [/1 is read as blocks of 64 bytes/]],
  ["{blockSize: 100}", [100, 5242, 31_250], [/blockSize 100 is read as blocks of 100 bytes/]],
  ["{maxPrefixTokensToMatch: 4096}", [64, 256, 31_250], []],
  ["{maxPrefixTokensToMatch: 0}", [64, 2048, 31_250], []],
  ["{maxPrefixTokensToMatch: 0, maxPrefixBlocksToMatch: 7}", [64, 7, 31_250], []],
  ["{maxPrefixTokensToMatch: 0, maxPrefixBlocksToMatch: 0}", [64, 1_048_576, 31_250], []],
  ["{maxPrefixBlocksToMatch: 7}", [64, 8192, 31_250], [/has no effect: .*131072 comes first/]],
  ["{lruCapacityPerServer: 9}", [64, 8192, 9], []],
];
for (const [text, [blockBytes, maxPrefixBlocksToMatch, lruCapacityPerServer], notes] of CASES) {
  test(`prefix cache in tokens: ${text}`, () => {
    const producer = producerOf(text);
    assert.deepEqual(producer.parameters, {
      blockBytes,
      maxPrefixBlocksToMatch,
      lruCapacityPerServer,
    });
    assert.equal(producer.notes.length, notes.length, producer.notes.join("\n"));
    for (const [index, note] of notes.entries()) assert.match(producer.notes[index] ?? "", note);
  });
}

const FAULTS: readonly [string, RegExp][] = [
  ["{hashBlockSize: 64}", /parameters\.hashBlockSize: unknown field/],
  ["{maxPrefixTokensToMatch: 8}", /maxPrefixTokensToMatch: must be 0 or at least one block/],
  ["{maxPrefixTokensToMatch: -1}", /maxPrefixTokensToMatch: must be an integer of at least 0/],
  ["{blockSizeTokens: 0}", /blockSizeTokens: must be an integer of at least 1/],
  ["{lruCapacityPerServer: 0}", /lruCapacityPerServer: must be an integer of at least 1/],
];
for (const [text, message] of FAULTS) {
  test(`prefix cache in tokens: ${text} is one fault`, () => {
    assert.throws(
      () => producerOf(text),
      (error) =>
        error instanceof ConfigError && error.faults.length === 1 && message.test(error.message),
    );
  });
}

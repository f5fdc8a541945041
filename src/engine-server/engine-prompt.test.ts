import assert from "node:assert/strict";
import { test } from "node:test";
import { WasmBlockHasher } from "../request/wasm-block-hasher.ts";
import { enginePrompt, promptTokens } from "./engine-prompt.ts";

const FACTS = {
  modelName: "m",
  cacheSalt: undefined,
  blockTokens: 4,
  isTokenIdsKept: false,
  hasher: new WasmBlockHasher(),
};
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const keysOf = (text: string, facts = FACTS): number[] => [
  ...enginePrompt(bytesOf(text), facts).prompt.blockKeys,
];

test("engine-prompt: prompts share keys as far as they share blocks", () => {
  const [first = 0, second = 0] = keysOf(`${"a".repeat(16)}${"b".repeat(16)}`);
  assert.deepEqual(keysOf(`${"a".repeat(16)}${"c".repeat(16)}`).slice(0, 1), [first]);
  assert.notEqual(keysOf(`${"a".repeat(16)}${"c".repeat(16)}`)[1], second);
  assert.notEqual(keysOf(`${"x".repeat(16)}${"b".repeat(16)}`)[1], second);
  for (const key of [first, second]) assert.ok(Number.isSafeInteger(key) && key >= 0);
});

test("engine-prompt: model and salt seed the chain", () => {
  const text = "a".repeat(16);
  const keys = [
    keysOf(text),
    keysOf(text, { ...FACTS, modelName: "other" }),
    enginePrompt(bytesOf(text), { ...FACTS, cacheSalt: "s" }).prompt.blockKeys,
  ].map(([key]) => key);
  assert.equal(new Set(keys).size, 3);
});

test("engine-prompt: full blocks of tokens have keys, the last token may be padded", () => {
  for (const [sizeBytes, tokens, blocks] of [
    [1, 1, 0],
    [12, 3, 0],
    [13, 4, 1],
    [16, 4, 1],
    [17, 5, 1],
    [32, 8, 2],
  ] as const) {
    const bytes = new Uint8Array(sizeBytes).fill(0x61);
    const { prompt } = enginePrompt(bytes, FACTS);
    assert.equal(promptTokens(bytes), tokens);
    assert.equal(prompt.tokenCount, tokens);
    assert.equal(prompt.blockKeys.length, blocks);
  }
});

test("engine-prompt: token ids are kept for KV events alone", () => {
  const bytes = bytesOf("abcde");
  assert.equal(enginePrompt(bytes, FACTS).prompt.tokenIds, undefined);
  const kept = enginePrompt(bytes, { ...FACTS, isTokenIdsKept: true }).prompt.tokenIds;
  assert.deepEqual([...(kept ?? [])], [0x64636261, 0x65]);
});

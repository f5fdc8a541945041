import assert from "node:assert/strict";
import test from "node:test";
import { benchFor } from "../../test/fixtures/plugin-bench.ts";
import { pluginOf } from "../../test/fixtures/plugin-of.ts";
import { requestWith } from "../../test/fixtures/request-with.ts";
import { promptLength } from "./prompt-length.ts";
import { promptTokens } from "./request-attribute.ts";

const nothing = pluginOf("nothing", {});

for (const [prompt, want] of [
  ["", 0],
  ["x", 1],
  ["xxxx", 1],
  ["xxxxx", 2],
  ["äää", 2],
] as const) {
  test(`prompt-length: ${JSON.stringify(prompt)} is ${want} tokens by the estimate`, () => {
    const { cycle } = benchFor(nothing, [], { request: requestWith({ prompt }) });
    assert.equal(promptLength(cycle), want);
  });
}

test("prompt-length: a producer's count stands, even 0", () => {
  const { cycle } = benchFor(nothing, [], { request: requestWith({ prompt: "long".repeat(99) }) });
  cycle.set(promptTokens, 0);
  assert.equal(promptLength(cycle), 0);
});

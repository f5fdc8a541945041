import assert from "node:assert/strict";
import test from "node:test";
import { benchFor } from "../../../test/fixtures/plugin-bench.ts";
import { poolWith, served } from "../../../test/fixtures/pool-core.ts";
import { type RequestTraits, requestWith } from "../../../test/fixtures/request-with.ts";
import { ConfigError } from "../../core/config-error.ts";
import { promptTokens } from "../../plugin/request-attribute.ts";
import { tokenProducer } from "./token.ts";

const prompts: readonly [request: RequestTraits, want: number][] = [
  [{ prompt: "" }, 0],
  [{ prompt: "a" }, 1],
  [{ prompt: "aaaa" }, 1],
  [{ prompt: "aaaaa" }, 2],
  // Two characters of three bytes each: bytes count, not characters.
  [{ prompt: "€€" }, 2],
  // A chat message has 28 bytes of frame.
  [{ chat: "aaaa" }, 8],
];
for (const [request, want] of prompts) {
  test(`token-producer: ${JSON.stringify(request)} is ${want} tokens`, () => {
    const { instance, cycle } = benchFor(tokenProducer, [{}], { request: requestWith(request) });
    instance.produce?.(cycle);
    assert.equal(cycle.get(promptTokens), want);
    assert.equal(cycle.get(promptTokens, "token-producer"), want);
  });
}

test("token-producer: what a producer counted before stands", () => {
  const { instance, cycle } = benchFor(tokenProducer, [{}], { request: requestWith() });
  cycle.set(promptTokens, 1234, "tokenizer");
  instance.produce?.(cycle);
  assert.equal(cycle.get(promptTokens, "token-producer"), 1234);
});

const backends: readonly [parameters: object | undefined, warnings: number][] = [
  [undefined, 0],
  [{ estimate: { image: { mode: "static" }, video: {} } }, 0],
  [{ modelName: "m" }, 1],
  [{ modelName: "m", vllm: { url: "http://localhost:8000", timeout: "5s", mmTimeout: "30s" } }, 1],
  [{ vllm: {} }, 1],
  [{ udsTokenizerConfig: { socketFile: "/tmp/tokenizer" } }, 1],
];
for (const [parameters, warnings] of backends) {
  test(`token-producer: ${JSON.stringify(parameters)} is warned about ${warnings} times`, () => {
    const { core, logged } = poolWith({
      plugins: [
        "single-profile-handler",
        { plugin: "token-producer", parameters },
        "max-score-picker",
      ],
    });
    served(core, requestWith());
    served(core, requestWith());
    const lines = logged.lines.filter(({ event }) => event === "tokens-estimated");
    assert.equal(lines.length, warnings);
  });
}

for (const parameters of [{ vllm: "http://localhost:8000" }, { model: "m" }, { modelName: 1 }]) {
  test(`token-producer: ${JSON.stringify(parameters)} is a fault`, () => {
    assert.throws(
      () => tokenProducer.configure(parameters),
      (error) =>
        error instanceof ConfigError && error.faults[0]?.path === Object.keys(parameters)[0],
    );
  });
}

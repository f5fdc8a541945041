import assert from "node:assert/strict";
import test from "node:test";
import { benchFor, parameterFaults } from "../../../test/fixtures/plugin-bench.ts";
import { type RequestTraits, requestWith } from "../../../test/fixtures/request-with.ts";
import { promptTokens } from "../../plugin/request-attribute.ts";
import { type TokenBackend, tokenBackendOf, tokenProducer } from "./token.ts";

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

test("token-producer: the engine's own count stands where the whole prompt's tokens are known", () => {
  const request = requestWith({ prompt: "aaaabbbb" });
  for (const [isWhole, want] of [
    [true, 7],
    [false, 2],
  ] as const) {
    const tokens = { sizeBytes: 28, count: 7, isWhole, blocks: request.prompt.blocks };
    const { instance, cycle } = benchFor(tokenProducer, [{}], { request: { ...request, tokens } });
    instance.produce?.(cycle);
    assert.equal(cycle.get(promptTokens), want);
  }
});

const engine = { kind: "engine", modelName: undefined, url: undefined, timeoutMs: 5000 } as const;
const backends: readonly [parameters: object | undefined, want: TokenBackend | undefined][] = [
  [undefined, undefined],
  [{ estimate: { image: { mode: "static" }, video: {} } }, { kind: "estimate" }],
  [{ modelName: "m" }, { ...engine, modelName: "m" }],
  [{ vllm: {} }, engine],
  [
    { modelName: "m", vllm: { url: "http://localhost:8000", timeout: "2s", mmTimeout: "30s" } },
    { kind: "engine", modelName: "m", url: "http://localhost:8000", timeoutMs: 2000 },
  ],
  [{ udsTokenizerConfig: { socketFile: "/tmp/tokenizer" } }, engine],
];
for (const [parameters, want] of backends) {
  test(`token-producer: ${JSON.stringify(parameters)} chooses ${want?.kind ?? "nothing"}`, () => {
    assert.deepEqual(tokenBackendOf("token-producer", parameters), want);
  });
}

const broken: readonly [parameters: object, path: string][] = [
  [{ vllm: "http://localhost:8000" }, "vllm"],
  [{ vllm: { url: "localhost:8000" } }, "vllm.url"],
  [{ vllm: { timeout: "5" } }, "vllm.timeout"],
  [{ vllm: { host: "a" } }, "vllm.host"],
  [{ model: "m" }, "model"],
  [{ modelName: 1 }, "modelName"],
];
for (const [parameters, path] of broken) {
  test(`token-producer: ${JSON.stringify(parameters)} is a fault`, () => {
    assert.deepEqual(
      parameterFaults(tokenProducer, parameters).map((fault) => fault.path),
      [path],
    );
  });
}

import assert from "node:assert/strict";
import test from "node:test";
import { outputLength, tokenText } from "./output-text.ts";

const anyLength = { seed: 1, promptKey: 1, maxTokens: 100_000, minTokens: 0, ignoreEos: false };

function textOf(promptKey: number, seed: number, tokens: number): string {
  return Array.from({ length: tokens }, (_, i) => tokenText(promptKey, seed, i)).join("");
}

test("output length: the mean is about 200 tokens and short and long answers occur", () => {
  const lengths = Array.from(
    { length: 4000 },
    (_, promptKey) => outputLength({ ...anyLength, promptKey }).tokens,
  );
  const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
  assert.ok(mean > 185 && mean < 215, `${mean}`);
  assert.ok(Math.min(...lengths) >= 1 && Math.min(...lengths) < 40);
  assert.ok(Math.max(...lengths) > 800);
});

test("output length: limits decide over the draw", () => {
  const long = outputLength({ ...anyLength, maxTokens: 1 });
  assert.deepEqual(long, { tokens: 1, finishReason: "length" });
  const full = outputLength({ ...anyLength, maxTokens: 5000, ignoreEos: true });
  assert.deepEqual(full, { tokens: 5000, finishReason: "length" });
  const least = outputLength({ ...anyLength, minTokens: 90_000 });
  assert.deepEqual(least, { tokens: 90_000, finishReason: "stop" });
  const both = outputLength({ ...anyLength, minTokens: 10, maxTokens: 10 });
  assert.deepEqual(both, { tokens: 10, finishReason: "length" });
});

test("output length: prompt and seed decide, and each matters", () => {
  assert.deepEqual(outputLength(anyLength), outputLength(anyLength));
  const distinct = (vary: (i: number) => object): number =>
    new Set(Array.from({ length: 20 }, (_, i) => outputLength({ ...anyLength, ...vary(i) }).tokens))
      .size;
  assert.ok(distinct((i) => ({ seed: i })) > 10);
  assert.ok(distinct((i) => ({ promptKey: 2 ** 40 + i })) > 10);
});

test("output text: it is made of sentences", () => {
  const text = textOf(12345, 1, 200);
  assert.match(text, /^([A-Z][a-z]+( [a-z]+,?)+\.( |$))+$/);
});

test("output text: the same prompt and seed give the same text, others do not", () => {
  assert.equal(textOf(2 ** 52 + 1, 7, 60), textOf(2 ** 52 + 1, 7, 60));
  assert.notEqual(textOf(1, 7, 60), textOf(2, 7, 60));
  assert.notEqual(textOf(1, 7, 60), textOf(1, 8, 60));
});

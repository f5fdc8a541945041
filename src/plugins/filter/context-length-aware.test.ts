import assert from "node:assert/strict";
import test from "node:test";
import {
  benchFor,
  parameterFaults,
  rejectionsOf,
  scoresFor,
  scoresOn,
} from "../../../test/fixtures/plugin-bench.ts";
import { requestWith } from "../../../test/fixtures/request-with.ts";
import { promptTokens } from "../../plugin/request-attribute.ts";
import { contextLengthAware } from "./context-length-aware.ts";

const LABEL = "llm-d.ai/context-length-range";
const pool = (...ranges: readonly (string | undefined)[]) =>
  ranges.map((range) => (range === undefined ? {} : { labels: { [LABEL]: range } }));
/** 1000 tokens by the estimate of four bytes each. */
const request = requestWith({ prompt: "x".repeat(4000) });

const cases: readonly (readonly [range: string | undefined, score: number, reason?: string])[] = [
  [undefined, 0.5],
  // 0.3 + 0.7 × (0.7 / (1 + 2000 / 10000) + 0.3 × 1000 / 2000)
  ["0-2000", 0.3 + 0.7 * (0.7 / 1.2 + 0.15)],
  [" 0 - 2000 ", 0.3 + 0.7 * (0.7 / 1.2 + 0.15)],
  ["1000-1000", 1],
  ["1000-2000", 0.3 + 0.7 * (0.7 / 1.1 + 0.3)],
  ["0-1000", 0.3 + 0.7 * (0.7 / 1.1)],
  ["0-500", 0.3 / 1.5, "prompt is not within 0-500 tokens"],
  ["2000-3000", 0.3 / 2, "prompt is not within 2000-3000 tokens"],
  ["1001-3000", 0.3 / 1.001, "prompt is not within 1001-3000 tokens"],
  ["", 0, `label ${LABEL} is no range min-max`],
  ["many", 0, `label ${LABEL} is no range min-max`],
  ["2000-1000", 0, `label ${LABEL} is no range min-max`],
  ["-1-2000", 0, `label ${LABEL} is no range min-max`],
];
for (const [range, score, reason] of cases) {
  test(`context-length-aware: 1000 tokens on ${range ?? "no label"}`, () => {
    const [given = Number.NaN] = scoresFor(contextLengthAware, pool(range), { request });
    assert.ok(Math.abs(given - score) < 1e-12, `${given} for ${score}`);
    const parameters = { enableFiltering: true };
    const rejections = rejectionsOf(contextLengthAware, pool(range), { request, parameters });
    assert.equal(rejections.get(0), reason);
  });
}

test("context-length-aware: without enableFiltering nobody is dropped", () => {
  assert.equal(rejectionsOf(contextLengthAware, pool("0-1", "x"), { request }).size, 0);
});

test("context-length-aware: a tighter range wins, and any range that fits beats any that does not", () => {
  const scores = scoresFor(contextLengthAware, pool("0-4000", "0-131072", "1001-1002"), {
    request,
  });
  assert.deepEqual(
    scores.toSorted((a, b) => b - a),
    scores,
  );
});

test("context-length-aware: a producer's count of tokens goes before the estimate", () => {
  const bench = benchFor(contextLengthAware, pool("50-50"), { request });
  bench.cycle.set(promptTokens, 50);
  assert.deepEqual(scoresOn(bench), [1]);
});

test("context-length-aware: another label", () => {
  const parameters = { label: "window" };
  const endpoints = [{ labels: { window: "1000-1000" } }, ...pool("1000-1000")];
  assert.deepEqual(scoresFor(contextLengthAware, endpoints, { request, parameters }), [1, 0.5]);
  assert.equal(parameterFaults(contextLengthAware, { label: "" })[0]?.path, "label");
});

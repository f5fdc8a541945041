import assert from "node:assert/strict";
import test from "node:test";
import { benchByColumn, parameterFaults, scoresOn } from "../../../test/fixtures/plugin-bench.ts";
import { requestWith } from "../../../test/fixtures/request-with.ts";
import { inFlightTokens } from "../../endpoints/numeric-attribute.ts";
import { promptTokens } from "../../plugin/request-attribute.ts";
import { tokenLoadScorer } from "./token-load.ts";

/** 100 tokens by the estimate. */
const request = requestWith({ prompt: "x".repeat(400) });
const parameters = { queueThresholdTokens: 1000 };
const { NaN: unknown } = Number;

for (const [name, inFlight, matched, want] of [
  ["the prompt counts where nothing is cached", [0, 400], undefined, [0.9, 0.5]],
  ["what is cached does not count", [0, 0, 400], [4, 2, 0], [1, 0.95, 0.5]],
  ["more than the threshold is 0", [5000], [0], [0]],
  ["at the threshold", [900], [0], [0]],
  ["unknown load is half", [unknown, 0], [0, 0], [0.5, 0.9]],
  ["a single one is not scaled", [400], [0], [0.5]],
  ["an endpoint that the match does not know", [0], [], [0.9]],
  ["nobody", [], [], []],
] as const) {
  test(`token-load-scorer: ${name}`, () => {
    const match = matched && {
      blockCount: 4,
      // 25 tokens.
      blockBytes: 100,
      matchedBySlot: Int32Array.from(matched),
    };
    const options = { parameters, request, ...(match && { match }) };
    const bench = benchByColumn(tokenLoadScorer, inFlightTokens, inFlight, options);
    const scores = scoresOn(bench);
    assert.equal(scores.length, want.length);
    for (const [index, score] of scores.entries()) {
      assert.ok(Math.abs(score - (want[index] ?? Number.NaN)) < 1e-12, `${index}: ${score}`);
    }
  });
}

test("token-load-scorer: a producer's count of tokens goes before the estimate", () => {
  const bench = benchByColumn(tokenLoadScorer, inFlightTokens, [0], { parameters, request });
  bench.cycle.set(promptTokens, 500);
  assert.deepEqual(scoresOn(bench), [0.5]);
});

test("token-load-scorer: an empty prompt on an idle endpoint is 1, by the default threshold too", () => {
  const empty = requestWith({ prompt: "" });
  assert.deepEqual(
    scoresOn(benchByColumn(tokenLoadScorer, inFlightTokens, [0, 4_194_304], { request: empty })),
    [1, 0],
  );
});

test("token-load-scorer: parameters are checked, and both producers are referred to", () => {
  const path = "queueThresholdTokens";
  for (const tokens of [0, -1, 0.5]) {
    assert.equal(parameterFaults(tokenLoadScorer, { [path]: tokens })[0]?.path, path);
  }
  const named = { inFlightLoadProducerName: "load", prefixMatchInfoProducerName: "prefix" };
  assert.deepEqual(
    tokenLoadScorer.configure(named).references.map(({ name }) => name),
    ["load", "prefix"],
  );
});

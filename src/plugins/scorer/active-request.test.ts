import assert from "node:assert/strict";
import test from "node:test";
import { benchByColumn, parameterFaults, scoresOn } from "../../../test/fixtures/plugin-bench.ts";
import { decided, poolWith, served } from "../../../test/fixtures/pool-core.ts";
import { requestWith } from "../../../test/fixtures/request-with.ts";
import { inFlightRequests } from "../../endpoints/numeric-attribute.ts";
import { activeRequestScorer } from "./active-request.ts";

const cases: readonly {
  name: string;
  counts: readonly number[];
  parameters?: object;
  want: readonly number[];
}[] = [
  { name: "nobody has any", counts: [0, 0, 0], want: [1, 1, 1] },
  { name: "the share below the busiest", counts: [3, 0, 6], want: [0.5, 1, 0] },
  { name: "one without any", counts: [4, 0, 1], want: [0, 1, 0.75] },
  { name: "a busy score of 0", counts: [1, 0], parameters: { maxBusyScore: 0 }, want: [0, 1] },
  {
    name: "idle up to a threshold",
    counts: [1, 2, 0],
    parameters: { idleThreshold: 1, maxBusyScore: 0.5 },
    want: [1, 0, 1],
  },
  { name: "trap 5: the largest count alone scales", counts: [3, 11], want: [1 - 3 / 11, 0] },
  { name: "equal and busy are all 0", counts: [2, 2], want: [0, 0] },
  { name: "a single busy one", counts: [2], want: [0] },
  { name: "unknown is half and does not scale", counts: [Number.NaN, 4, 2], want: [0.5, 0, 0.5] },
  {
    name: "a busy score over 1 is 1",
    counts: [1, 2],
    parameters: { maxBusyScore: 3 },
    want: [0.5, 0],
  },
  {
    name: "a negative busy score is 1",
    counts: [1, 2],
    parameters: { maxBusyScore: -1 },
    want: [0.5, 0],
  },
  {
    name: "requestTimeout says nothing",
    counts: [1],
    parameters: { requestTimeout: "2m" },
    want: [0],
  },
  { name: "nobody", counts: [], want: [] },
];
for (const { name, counts, parameters = {}, want } of cases) {
  test(`active-request-scorer: ${name}`, () => {
    const bench = benchByColumn(activeRequestScorer, inFlightRequests, counts, { parameters });
    for (const [index, score] of scoresOn(bench).entries()) {
      assert.ok(Math.abs(score - (want[index] ?? Number.NaN)) < 1e-12, `${index}: ${score}`);
    }
  });
}

test("active-request-scorer: requests under way move the next one on", () => {
  const { core } = poolWith({
    plugins: ["single-profile-handler", "active-request-scorer", "max-score-picker"],
    profiles: { default: ["active-request-scorer", "max-score-picker"] },
    endpoints: [{}, {}, {}],
  });
  const chosen = Array.from({ length: 3 }, () => decided(core, requestWith()).plan.primary[0]?.id);
  assert.equal(new Set(chosen).size, 3);
  assert.match(served(core, requestWith()), /^e[012]$/);
});

test("active-request-scorer: parameters are checked, and the producer is referred to", () => {
  assert.equal(
    parameterFaults(activeRequestScorer, { idleThreshold: -1 })[0]?.path,
    "idleThreshold",
  );
  assert.equal(
    parameterFaults(activeRequestScorer, { maxBusyScore: "1" })[0]?.path,
    "maxBusyScore",
  );
  const named = activeRequestScorer.configure({ inFlightLoadProducerName: "load" });
  assert.deepEqual(named.references, [
    { path: "inFlightLoadProducerName", name: "load", role: "produce" },
  ]);
});

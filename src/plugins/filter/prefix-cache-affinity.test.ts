import assert from "node:assert/strict";
import test from "node:test";
import {
  benchByColumn,
  parameterFaults,
  rejectionsOn,
} from "../../../test/fixtures/plugin-bench.ts";
import { inFlightTokens } from "../../endpoints/numeric-attribute.ts";
import { prefixCacheAffinityFilter } from "./prefix-cache-affinity.ts";

const { NaN: unknown } = Number;
/** At 1000 tokens a second, a token in flight is a millisecond of waiting. */
const QUICK = { peakPrefillThroughput: 1000, maxTTFTPenaltyMs: 500 };

/** Candidates that are dropped when they hold `matched` of ten blocks and have `tokens` in flight. */
function dropped(
  parameters: object,
  matched: readonly number[] | undefined,
  tokens: readonly number[] = matched?.map(() => 0) ?? [0, 0, 0],
  seed = 1,
): readonly number[] {
  const match = { blockCount: 10, blockBytes: 64, matchedBySlot: Int32Array.from(matched ?? []) };
  const options = { parameters, seed, ...(matched && { match }) };
  const bench = benchByColumn(prefixCacheAffinityFilter, inFlightTokens, tokens, options);
  return [...rejectionsOn(bench).keys()];
}

const cases: readonly {
  name: string;
  parameters?: object;
  matched: readonly number[] | undefined;
  tokens?: readonly number[];
  want: readonly number[];
}[] = [
  { name: "the sticky ones stay", matched: [8, 7, 10], want: [1] },
  { name: "nobody is sticky", matched: [7, 0, 1], want: [] },
  { name: "all are sticky", matched: [9, 10, 8], want: [] },
  { name: "a single candidate", matched: [0], want: [] },
  { name: "no candidate", matched: [], want: [] },
  { name: "nobody produced a match", matched: undefined, want: [] },
  { name: "threshold 0", parameters: { affinityThreshold: 0 }, matched: [9, 0], want: [] },
  { name: "another threshold", parameters: { affinityThreshold: 1 }, matched: [9, 10], want: [0] },
  {
    name: "a penalty at the limit is borne",
    parameters: QUICK,
    matched: [10, 0],
    tokens: [600, 100],
    want: [1],
  },
  {
    name: "a penalty over the limit breaks stickiness",
    parameters: QUICK,
    matched: [10, 0],
    tokens: [601, 100],
    want: [],
  },
  {
    name: "the best of each side counts",
    parameters: QUICK,
    matched: [10, 10, 0, 0],
    tokens: [5000, 400, 9000, 0],
    want: [2, 3],
  },
  {
    name: "an unknown load is left out",
    parameters: QUICK,
    matched: [10, 10, 0, 0],
    tokens: [unknown, 400, unknown, 0],
    want: [2, 3],
  },
  {
    name: "an unknown penalty keeps everybody",
    parameters: QUICK,
    matched: [10, 0],
    tokens: [unknown, 0],
    want: [],
  },
  {
    name: "penalty 0 sticks at any price",
    parameters: { ...QUICK, maxTTFTPenaltyMs: 0 },
    matched: [10, 0],
    tokens: [1e9, 0],
    want: [1],
  },
  {
    name: "the default penalty is 18 s at 15928 tokens a second",
    matched: [10, 0],
    tokens: [286_704, 0],
    want: [1],
  },
  { name: "and not a token more", matched: [10, 0], tokens: [286_705, 0], want: [] },
  {
    name: "nobody predicts latencies",
    parameters: { ttftSource: "latencyPredictor" },
    matched: [10, 0],
    want: [],
  },
  {
    name: "exploration always",
    parameters: { explorationProbability: 1 },
    matched: [10, 0],
    want: [],
  },
];
for (const { name, parameters = {}, matched, tokens, want } of cases) {
  test(`prefix-cache-affinity-filter: ${name}`, () => {
    assert.deepEqual(dropped(parameters, matched, tokens), want);
  });
}

test("prefix-cache-affinity-filter: a share at the threshold is sticky, rounding aside", () => {
  // 0.55 × 100 is a little more than 55 in doubles.
  const match = { blockCount: 100, blockBytes: 64, matchedBySlot: Int32Array.from([55, 54]) };
  const options = { parameters: { affinityThreshold: 0.55 }, match };
  const bench = benchByColumn(prefixCacheAffinityFilter, inFlightTokens, [0, 0], options);
  assert.deepEqual([...rejectionsOn(bench).keys()], [1]);
});

test("prefix-cache-affinity-filter: a prompt below one block is held by nobody", () => {
  const match = { blockCount: 0, blockBytes: 64, matchedBySlot: Int32Array.from([0, 0]) };
  const bench = benchByColumn(prefixCacheAffinityFilter, inFlightTokens, [0, 0], { match });
  assert.equal(rejectionsOn(bench).size, 0);
});

test("prefix-cache-affinity-filter: it explores as often as asked", () => {
  const parameters = { explorationProbability: 0.25 };
  let explored = 0;
  for (let seed = 0; seed < 4000; seed++) {
    if (dropped(parameters, [10, 0], [0, 0], seed).length === 0) explored++;
  }
  assert.ok(Math.abs(explored / 4000 - 0.25) < 0.05 * 0.25, `explored ${explored} of 4000`);
});

for (const [path, value] of [
  ["affinityThreshold", 1.1],
  ["explorationProbability", -0.1],
  ["maxTTFTPenaltyMs", -1],
  ["peakPrefillThroughput", 0],
  ["ttftSource", "guess"],
] as const) {
  test(`prefix-cache-affinity-filter: ${path} ${value} is a fault`, () => {
    const [fault] = parameterFaults(prefixCacheAffinityFilter, { [path]: value });
    assert.equal(fault?.path, path);
  });
}

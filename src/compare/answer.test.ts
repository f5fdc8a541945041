import assert from "node:assert/strict";
import { test } from "node:test";
import { answerOf } from "./answer.ts";
import type { Estimate } from "./estimate.ts";
import type { SweepSubject } from "./sweep-plan.ts";
import type { Figures, SweepPoint, SweepResult } from "./sweep-result.ts";

const SLO = { ttftMs: 2000, tpotMs: 25 };
const LENGTHS = [1000, 4000, 16_000];

const SUBJECT: SweepSubject = {
  sides: [
    { name: "left", title: "pool", side: "left", variation: {} },
    { name: "right", title: "pair", side: "right", variation: {} },
  ],
  contestants: {
    single: "left",
    split: "right",
    ratios: [{ main: 1, prefill: 3 }],
    hasThreshold: false,
    isChoiceDifferent: false,
  },
  gpus: 4,
  link: "rdma",
};

const exactly = (mean: number): Estimate => ({ mean, least: mean, most: mean });

/** A point with the share within limits; its latencies are the better the larger the share. */
function point(
  variant: string,
  promptTokens: number,
  goodRatio: number,
  more: Partial<Figures> = {},
): SweepPoint {
  const figures: Figures = {
    ttftMsP95: exactly(1000 / (goodRatio + 0.1)),
    tpotMsP95: exactly(10 / (goodRatio + 0.1)),
    e2eMsP95: undefined,
    goodRatio: exactly(goodRatio),
    outputTokensPerSecond: undefined,
    transferMsP50: exactly(5),
    ...more,
  };
  return { variant, promptTokens, loadRatio: 0.9, perSecond: 1, figures };
}

function sweepOf(points: readonly SweepPoint[]): SweepResult {
  const shape = {
    promptTokens: LENGTHS,
    outputTokens: 250,
    loadRatios: [0.9],
    requests: 1,
    seeds: [1, 2],
  };
  return { shape, capacities: [], points };
}

/** Shares within limits of both at each length. */
function duel(pool: readonly number[], pair: readonly number[]): readonly SweepPoint[] {
  return LENGTHS.flatMap((tokens, index) => [
    point("left", tokens, pool[index] ?? 0),
    point("right", tokens, pair[index] ?? 0),
  ]);
}

const headline = (points: readonly SweepPoint[]): string =>
  answerOf(sweepOf(points), SUBJECT, SLO).headline;

test("answer: a split that is never better leaves the single pool", () => {
  assert.match(headline(duel([1, 1, 0.6], [1, 0.9, 0.1])), /^Single pool \(pool\): nowhere/);
});

test("answer: the same numbers exchanged give the other answer", () => {
  assert.match(headline(duel([0.9, 0.9, 0.1], [1, 1, 0.6])), /^P\/D split \(pair\): .* everywhere/);
});

test("answer: a split that is better from a length on is recommended from there", () => {
  const text = headline(duel([1, 1, 0.2], [0.8, 0.8, 0.9]));
  assert.match(text, /^P\/D split \(pair\) from \d,\d00 prompt tokens at 90\s% load/);
  assert.match(text, /Single pool \(pool\) elsewhere/);
});

test("answer: equal shares leave the simpler one", () => {
  assert.match(headline(duel([1, 1, 1], [1, 1, 1])), /^Single pool \(pool\): both .* equally well/);
});

test("answer: a difference within the seeds' spread is none", () => {
  const wide = { goodRatio: { mean: 0.9, least: 0.7, most: 1 } };
  const points = LENGTHS.flatMap((tokens) => [
    point("left", tokens, 0.8),
    point("right", tokens, 0.9, wide),
  ]);
  assert.match(headline(points), /equally well/);
});

test("answer: another proportion that is better is named with its numbers", () => {
  const ratio = LENGTHS.map((tokens) => point("ratio-3-1", tokens, 0.99));
  const { reasons } = answerOf(
    sweepOf([...duel([1, 1, 0.4], [1, 0.9, 0.1]), ...ratio]),
    SUBJECT,
    SLO,
  );
  const found = reasons.find((reason) => reason.startsWith("A split pays in another form"));
  assert.match(found ?? "", /3 prefill and 1 decode .* 99\.0\s% against 40\.0\s% at 16,000 tokens/);
});

for (const { name, tcp, want } of [
  {
    name: "TCP that loses the limits rules the split out",
    tcp: 0.1,
    want: /^Not without RDMA.* 10\s% .*9\.0 s to arrive, not 5\.0 ms/,
  },
  { name: "TCP that keeps them does not", tcp: 1, want: /^RDMA does not decide here/ },
]) {
  test(`answer: ${name}`, () => {
    const slow = { transferMsP50: exactly(9000) };
    const links = LENGTHS.map((tokens) => point("link-tcp", tokens, tcp, slow));
    const { reasons } = answerOf(sweepOf([...duel([1, 1, 1], [1, 1, 1]), ...links]), SUBJECT, SLO);
    assert.ok(
      reasons.some((reason) => want.test(reason)),
      reasons.join("\n"),
    );
  });
}

test("answer: without results it says so", () => {
  assert.deepEqual(answerOf(sweepOf([]), SUBJECT, SLO).reasons, []);
  assert.match(headline([]), /too little/);
});

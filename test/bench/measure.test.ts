import assert from "node:assert/strict";
import test from "node:test";
import { atLeast, atMost, type Budget, isMet, type Measure, measureTable } from "./measure.ts";

const ratioAtLeast: Budget = { limit: 0.5, isAtLeast: true, isRatio: true };

function figure(value: number, budget?: Budget, ratio?: number): Measure {
  return {
    name: "rate",
    value,
    unit: "/s",
    ...(budget && { budget }),
    ...(ratio !== undefined && { peer: "nginx", ratio }),
  };
}

test("bench: a budget is met at its limit, in its own direction, by value or by ratio", () => {
  for (const [measure, want] of [
    [figure(5), undefined],
    [figure(5, atMost(5)), true],
    [figure(6, atMost(5)), false],
    [figure(5, atLeast(5)), true],
    [figure(4, atLeast(5)), false],
    [figure(1, ratioAtLeast, 0.5), true],
    [figure(1, ratioAtLeast, 0.4), false],
    [figure(1, ratioAtLeast), false],
    [figure(Number.NaN, atMost(5)), false],
    [figure(Number.NaN, atLeast(5)), false],
  ] as const) {
    assert.equal(isMet(measure), want);
  }
});

test("bench: the table shows each figure with its peer, budget, verdict and remark", () => {
  const remark = "the client was the limit";
  const lines = measureTable([
    { ...figure(1234.5, ratioAtLeast, 0.4), remark },
    figure(0.1234, atMost(1)),
  ]).split("\n");
  assert.match(lines[1] ?? "", /rate +1235 +\/s +0\.40x nginx +≥ 0\.5x +MISSED +the client/);
  assert.match(lines[2] ?? "", /rate +0\.123 +\/s +≤ 1 +met$/);
});

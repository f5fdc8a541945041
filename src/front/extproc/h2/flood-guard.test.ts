import assert from "node:assert/strict";
import test from "node:test";
import { FloodGuard } from "./flood-guard.ts";
import { H2_ERROR, H2Fault } from "./h2-protocol.ts";

/** How often it can be done at that time, up to a bound. */
function count(work: (nowMs: number) => void, nowMs: number): number {
  for (let times = 0; times < 200_000; times++) {
    try {
      work(nowMs);
    } catch (error) {
      assert.ok(error instanceof H2Fault && error.code === H2_ERROR.enhanceYourCalm);
      return times;
    }
  }
  return Number.POSITIVE_INFINITY;
}

test("flood-guard: frames that carry nothing have a burst, and more with time", () => {
  const guard = new FloodGuard(100, 0);
  const idle = (nowMs: number): void => guard.idle(nowMs);
  assert.equal(count(idle, 0), 10_000);
  assert.equal(count(idle, 0), 0);
  assert.equal(count(idle, 500), 500);
  assert.equal(count(idle, 1_000_000), 10_000);
});

test("flood-guard: a frame with content allows for others, up to the burst", () => {
  const guard = new FloodGuard(100, 0);
  const idle = (nowMs: number): void => guard.idle(nowMs);
  guard.carried();
  assert.equal(count(idle, 0), 10_000);
  for (let i = 0; i < 10; i++) guard.carried();
  assert.equal(count(idle, 0), 40);
});

test("flood-guard: every open stream may be reset at once", () => {
  for (const [streams, burst] of [
    [100, 1000],
    [40_000, 40_000],
  ] as const) {
    const guard = new FloodGuard(streams, 0);
    const reset = (nowMs: number): void => guard.reset(nowMs);
    assert.equal(count(reset, 0), burst);
    assert.equal(count(reset, 10), 100);
    assert.equal(count(reset, 10), 0);
  }
});

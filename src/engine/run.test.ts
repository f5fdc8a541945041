import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { Run } from "./run.ts";

const duration = fc.double({ min: 1, max: 1e5, noNaN: true });

test("run: counts of steps agree with walking them", () => {
  const steps = fc.integer({ min: 1, max: 300 });
  const growth = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(
      duration,
      duration,
      growth,
      steps,
      fc.double({ min: 0, max: 1.1, noNaN: true }),
      (start, first, growthUs, count, share) => {
        const run = new Run(start, first, growthUs, count);
        const at = start + share * (run.endUs - start);
        let started = 0;
        let ended = 0;
        for (let k = 0; k < count; k++) {
          if (run.timeUs(k) < at) started++;
          if (run.timeUs(k + 1) <= at) ended++;
        }
        assert.equal(run.startedBefore(at), started);
        assert.equal(run.endedBy(at), ended);
      },
    ),
  );
});

test("run: at the very end of a step that step is over and the next has not begun", () => {
  const run = new Run(100, 10, 0, 5);
  assert.equal(run.startedBefore(120), 2);
  assert.equal(run.endedBy(120), 2);
  run.cut(120);
  assert.equal(run.endUs, 120);
});

test("run: a cut lets the step under way finish", () => {
  const run = new Run(100, 10, 0, 5);
  run.cut(121);
  assert.equal(run.steps, 3);
});

test("run: each step is longer than the last by the growth", () => {
  const run = new Run(0, 10, 2, 4);
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((k) => run.timeUs(k)),
    [0, 10, 22, 36, 52],
  );
});

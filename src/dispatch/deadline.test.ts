import assert from "node:assert/strict";
import { test } from "node:test";
import { Deadline, DeadlineWatch } from "./deadline.ts";

/** Deadlines that note their names when they pass. */
function rig(names: readonly string[]): {
  readonly passed: string[];
  readonly deadlines: readonly Deadline[];
  readonly watch: DeadlineWatch;
} {
  const passed: string[] = [];
  const watch = new DeadlineWatch();
  const deadlines = names.map((name) => new Deadline(watch, () => passed.push(name)));
  return { passed, deadlines, watch };
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2));
}

test("deadline: each passes in the order of its limit, whatever the order of starting", async () => {
  const { passed, deadlines } = rig(["slow", "quick", "middle"]);
  for (const [i, limitMs] of [60, 5, 30].entries()) deadlines[i]?.restart(limitMs);
  await until(() => passed.length === 3);
  assert.deepEqual(passed, ["quick", "middle", "slow"]);
});

test("deadline: one that is cleared never passes, and the others still do", async () => {
  const { passed, deadlines } = rig(["first", "cleared", "last"]);
  for (const deadline of deadlines) deadline.restart(10);
  deadlines[1]?.clear();
  deadlines[1]?.clear();
  await until(() => passed.length === 2);
  assert.deepEqual(passed.toSorted(), ["first", "last"]);
});

test("deadline: progress moves it, so one started later with the same limit passes first", async () => {
  const { passed, deadlines } = rig(["moving", "still"]);
  for (const deadline of deadlines) deadline.restart(20);
  const timer = setInterval(() => deadlines[0]?.touch(), 1);
  await until(() => passed.length === 1);
  clearInterval(timer);
  assert.deepEqual(passed, ["still"]);
  await until(() => passed.length === 2);
  assert.deepEqual(passed, ["still", "moving"]);
});

test("deadline: a passing one may end others and begin anew", async () => {
  const watch = new DeadlineWatch();
  const passed: string[] = [];
  const other = new Deadline(watch, () => passed.push("other"));
  const again = new Deadline(watch, () => {
    other.clear();
    passed.push("again");
    if (passed.length === 1) again.restart(5);
  });
  // Both are due at the first look, which goes by the order of starting.
  again.restart(5);
  other.restart(5);
  await until(() => passed.length === 2);
  assert.deepEqual(passed, ["again", "again"]);
});

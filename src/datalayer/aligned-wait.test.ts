import assert from "node:assert/strict";
import { test } from "node:test";
import { GRID_MS, waitAligned } from "./aligned-wait.ts";

function waited(ms: number): Promise<number> {
  const startMs = performance.now();
  return new Promise((resolve) => waitAligned(ms, () => resolve(performance.now() - startMs)));
}

/** The grid's timer does not keep the process. */
async function awake<T>(work: Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, 1000);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

test("aligned-wait: waits that end near each other end in one turn of the event loop", async () => {
  let turns = 0;
  const endedIn = new Set<number>();
  const counter = setInterval(() => turns++, 1);
  const ended = [0.1, 0.2, 0.3].map(async (share) => {
    // All round to the same moment.
    const untilMs = (Math.ceil(performance.now() / GRID_MS) + 2 + share) * GRID_MS;
    await waited(untilMs - performance.now());
    endedIn.add(turns);
  });
  await awake(Promise.all(ended));
  clearInterval(counter);
  assert.equal(endedIn.size, 1);
});

test("aligned-wait: a wait is off by half the grid at most, but for a busy machine", async () => {
  for (const ms of [GRID_MS, 1.7 * GRID_MS]) {
    assert.ok((await awake(waited(ms))) > ms - GRID_MS / 2 - 1);
  }
});

test("aligned-wait: an earlier wait is not held up by a later one that began before it", async () => {
  const order: string[] = [];
  const late = waited(6 * GRID_MS).then(() => order.push("late"));
  const soon = waited(GRID_MS).then(() => order.push("soon"));
  await awake(Promise.all([late, soon]));
  assert.deepEqual(order, ["soon", "late"]);
});

test("aligned-wait: however short, a wait ends at a moment that is still to come", async () => {
  assert.ok((await awake(waited(0))) >= 0);
});

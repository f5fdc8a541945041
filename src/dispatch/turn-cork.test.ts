import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turnEnd } from "node:timers/promises";
import { uncorkAfterTurn } from "./turn-cork.ts";

test("turn-cork: what was held is let go at the end of the turn, in its order", async () => {
  const order: string[] = [];
  for (const name of ["first", "second"]) {
    uncorkAfterTurn({ uncork: () => order.push(name), drop: () => order.push("dropped") });
  }
  assert.deepEqual(order, []);
  await turnEnd();
  assert.deepEqual(order, ["first", "second"]);
});

test("turn-cork: one that throws is dropped with its error, and the others are let go", async () => {
  const events: string[] = [];
  const fault = (): never => {
    throw new Error("broken");
  };
  uncorkAfterTurn({ uncork: fault, drop: ({ message }) => events.push(`dropped: ${message}`) });
  uncorkAfterTurn({ uncork: () => events.push("let go"), drop: () => events.push("dropped") });
  await turnEnd();
  assert.deepEqual(events, ["dropped: broken", "let go"]);
});

test("turn-cork: what is held while others are let go waits for the next turn", async () => {
  const order: string[] = [];
  const drop = (): void => undefined;
  uncorkAfterTurn({
    uncork: () => {
      order.push("first");
      uncorkAfterTurn({ uncork: () => order.push("later"), drop });
    },
    drop,
  });
  await turnEnd();
  assert.deepEqual(order, ["first"]);
  await turnEnd();
  assert.deepEqual(order, ["first", "later"]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BodyBudget } from "./body-budget.ts";

const patient = { bytesMax: 100, waitMs: 60_000, waitingMax: 4 };

test("body-budget: room is granted at once until it is used up", () => {
  const budget = new BodyBudget(patient);
  assert.equal(budget.take(60), true);
  assert.equal(budget.take(40), true);
  assert.equal(budget.usedBytes, 100);
});

test("body-budget: bodies wait in order, a small one does not overtake", async () => {
  const budget = new BodyBudget(patient);
  assert.equal(budget.take(90), true);
  const granted: string[] = [];
  const big = Promise.resolve(budget.take(50)).then(() => granted.push("big"));
  const small = Promise.resolve(budget.take(5)).then(() => granted.push("small"));
  assert.equal(budget.waitingCount, 2);
  budget.give(90);
  await Promise.all([big, small]);
  assert.deepEqual(granted, ["big", "small"]);
  assert.equal(budget.usedBytes, 55);
});

test("body-budget: without room in time the answer is no, and those behind move up", async () => {
  const budget = new BodyBudget({ ...patient, waitMs: 5 });
  assert.equal(budget.take(90), true);
  const big = budget.take(50);
  const small = budget.take(10);
  assert.deepEqual(await Promise.all([big, small]), [false, true]);
  assert.equal(budget.usedBytes, 100);
});

test("body-budget: no more than waitingMax wait", () => {
  const budget = new BodyBudget({ ...patient, waitingMax: 1 });
  assert.equal(budget.take(100), true);
  void budget.take(1);
  assert.equal(budget.take(1), false);
  budget.give(100);
});

test("body-budget: never above the limit, and empty after everything was given back", async () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(sizes, async (wanted) => {
      const budget = new BodyBudget({ ...patient, waitingMax: 40 });
      await Promise.all(
        wanted.map(async (bytes) => {
          assert.equal(await budget.take(bytes), true);
          assert.ok(budget.usedBytes <= 100);
          await Promise.resolve();
          budget.give(bytes);
        }),
      );
      assert.equal(budget.usedBytes, 0);
      assert.equal(budget.waitingCount, 0);
    }),
  );
});

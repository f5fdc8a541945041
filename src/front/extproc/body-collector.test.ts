import assert from "node:assert/strict";
import test from "node:test";
import type { Rejection } from "../../core/rejection.ts";
import { BodyBudget } from "../http/body-budget.ts";
import { BodyCollector } from "./body-collector.ts";

const KILO = 1024;

function collecting(options: { room: number; limit?: number; declared?: number; waitMs?: number }) {
  const { room, limit = 1000 * KILO, declared, waitMs = 60_000 } = options;
  const budget = new BodyBudget({ bytesMax: room, waitMs, waitingMax: 10 });
  const told: string[] = [];
  const collector = new BodyCollector({ budget, bytesMax: limit }, declared, {
    pause: () => told.push("pause"),
    resume: () => told.push("resume"),
    refused: ({ reason }: Rejection) => told.push(reason),
  });
  const whole = Promise.withResolvers<Uint8Array>();
  return { budget, told, collector, whole };
}

test("body-collector: a body of several chunks is handed out whole, and its room given back once", () => {
  const { budget, told, collector } = collecting({ room: 1000 * KILO });
  const bodies: string[] = [];
  collector.push(Buffer.from("ab"));
  collector.push(Buffer.from(""));
  collector.push(Buffer.from("c"));
  collector.finish((body) => bodies.push(Buffer.from(body).toString()));
  assert.deepEqual(bodies, ["abc"]);
  assert.ok(budget.usedBytes > 0);
  collector.release();
  collector.release();
  assert.equal(budget.usedBytes, 0);
  assert.deepEqual(told, []);
});

test("body-collector: more is taken as more comes, and never more than the limit", () => {
  const { budget, collector } = collecting({ room: 1000 * KILO, limit: 150 * KILO });
  const taken = [70, 60, 20].map((kilos) => {
    collector.push(Buffer.alloc(kilos * KILO));
    return budget.usedBytes / KILO;
  });
  assert.deepEqual(taken, [128, 150, 150]);
});

test("body-collector: a byte over the limit refuses the body and gives its room back", () => {
  const { budget, told, collector } = collecting({ room: 1000, limit: 10 });
  collector.push(Buffer.alloc(10));
  assert.deepEqual(told, []);
  collector.push(Buffer.alloc(1));
  collector.finish(() => assert.fail("handed out"));
  assert.deepEqual(told, ["body-too-large"]);
  assert.equal(budget.usedBytes, 0);
});

test("body-collector: a whole body waits for its room, and nothing is read meanwhile", async () => {
  const { budget, told, collector, whole } = collecting({ room: 100, declared: 80, limit: 100 });
  const second = { told: [] as string[] };
  const later = new BodyCollector({ budget, bytesMax: 100 }, 50, {
    pause: () => second.told.push("pause"),
    resume: () => second.told.push("resume"),
    refused: ({ reason }) => second.told.push(reason),
  });
  later.push(Buffer.alloc(50));
  let isHandedOut = false;
  later.finish((body) => {
    isHandedOut = true;
    whole.resolve(body);
  });
  assert.deepEqual([second.told, isHandedOut], [["pause"], false]);
  collector.release();
  assert.equal((await whole.promise).length, 50);
  assert.deepEqual(second.told, ["pause", "resume"]);
  later.release();
  assert.equal(budget.usedBytes, 0);
  assert.deepEqual(told, []);
});

test("body-collector: no room in time refuses the body; one that is gone gives late room back", async () => {
  const { budget, collector } = collecting({ room: 100, declared: 80, limit: 100, waitMs: 5 });
  const refused = Promise.withResolvers<string>();
  const source = {
    pause: () => undefined,
    resume: () => undefined,
    refused: ({ reason }: Rejection) => refused.resolve(reason),
  };
  new BodyCollector({ budget, bytesMax: 100 }, 50, source);
  const left = new BodyCollector({ budget, bytesMax: 100 }, 50, source);
  left.release();
  assert.equal(await refused.promise, "overloaded");
  collector.release();
  // A room that is granted to a body that left comes back with the next turn.
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(budget.usedBytes, 0);
});

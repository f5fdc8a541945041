import assert from "node:assert/strict";
import test from "node:test";
import { pluginOf } from "../../test/fixtures/plugin-of.ts";
import { addReady, completed, decided, poolWith, served } from "../../test/fixtures/pool-core.ts";
import { requestWith } from "../../test/fixtures/request-with.ts";
import { endpointId } from "../core/brand.ts";
import { inFlightRequests, waitingQueueDepth } from "../endpoints/numeric-attribute.ts";
import type { PluginInstance } from "../plugin/plugin-instance.ts";
import type { Target } from "./dispatch-plan.ts";
import type { PoolRouterCore } from "./pool-router-core.ts";

/** In-flight counts by slot. */
function inFlight(core: PoolRouterCore): readonly number[] {
  return [...core.endpoints.column(inFlightRequests).subarray(0, core.endpoints.slotCount)];
}

/** Endpoints in the order e0, e1, e2: the queue decides. */
function queuePool(instance: PluginInstance = {}) {
  return poolWith({
    endpoints: [{ queue: 0 }, { queue: 5 }, { queue: 9 }],
    isCorrectingMetrics: false,
    plugins: [
      "single-profile-handler",
      "queue-scorer",
      "max-score-picker",
      pluginOf("listener", instance),
    ],
    profiles: { default: ["queue-scorer", "max-score-picker"] },
  });
}

test("exchange: a retry goes down the plan's order and takes its charge along", () => {
  const { core } = queuePool();
  const { plan, decision } = decided(core, requestWith());
  const [first, second, third] = plan.primary as [Target, Target, Target];
  assert.deepEqual(inFlight(core), [1, 0, 0]);
  assert.equal(core.retry(decision, first, 1), second);
  assert.deepEqual(inFlight(core), [0, 1, 0]);
  assert.equal(core.retry(decision, second, 2), third);
  assert.deepEqual(inFlight(core), [0, 0, 1]);
  core.end(decision, "completed", completed, 3);
  assert.deepEqual(inFlight(core), [0, 0, 0]);
  assert.deepEqual(core.decisions.read(decision)?.retries, [
    { from: "e0", to: "e1" },
    { from: "e1", to: "e2" },
  ]);
  assert.equal(core.decisions.read(decision)?.endpoint, "e2");
});

test("exchange: retries end with the list", () => {
  const { core } = poolWith({ endpoints: [{}, {}], retryLimit: 9 });
  const { plan, decision } = decided(core, requestWith());
  const [first, second] = plan.primary as [Target, Target];
  assert.equal(core.retry(decision, first, 1), second);
  assert.equal(core.retry(decision, second, 1), undefined);
  assert.equal(core.inFlightCount, 1);
});

for (const retryLimit of [0, 1, 2]) {
  test(`exchange: at most ${retryLimit} retries are made when that is the limit`, () => {
    const { core } = poolWith({ endpoints: [{}, {}, {}, {}], retryLimit });
    const { plan, decision } = decided(core, requestWith());
    let failed = plan.primary[0] as Target;
    let retries = 0;
    for (let next = core.retry(decision, failed, 1); next !== undefined; ) {
      retries++;
      failed = next;
      next = core.retry(decision, failed, 1);
    }
    assert.equal(retries, retryLimit);
  });
}

test("exchange: a retry passes over endpoints that are gone, ejected or another process by then", () => {
  for (const spoil of [
    (core: PoolRouterCore) => core.health(1, false, 1),
    (core: PoolRouterCore) => core.endpoint({ kind: "removed", id: endpointId("e1") }, 1),
    (core: PoolRouterCore) => {
      core.endpoint({ kind: "removed", id: endpointId("e1") }, 1);
      addReady(core, { id: "new" }, 1);
    },
  ]) {
    const { core } = queuePool();
    const { plan, decision } = decided(core, requestWith());
    spoil(core);
    assert.equal(core.retry(decision, plan.primary[0] as Target, 2)?.id, "e2");
    core.end(decision, "completed", completed, 3);
    for (const [slot, count] of inFlight(core).entries()) assert.equal(count, 0, `slot ${slot}`);
  }
});

test("exchange: a retry without an exchange is none", () => {
  const { core } = queuePool();
  const { plan, decision } = decided(core, requestWith());
  core.end(decision, "completed", completed, 1);
  assert.equal(core.retry(decision, plan.primary[0] as Target, 2), undefined);
  assert.equal(core.retry(99, plan.primary[0] as Target, 2), undefined);
});

test("exchange: the end is heard exactly once, whoever reports it again", () => {
  const heard: string[] = [];
  const { core } = queuePool({
    onFirstByte: ({ slot }) => void heard.push(`first byte from ${slot}`),
    onRetry: ({ slot }, failedSlot) => void heard.push(`retry ${failedSlot} to ${slot}`),
    onEnd: ({ slot, usage }, how) =>
      void heard.push(`${how} on ${slot}, ${usage?.completionTokens} tokens`),
  });
  const { plan, decision } = decided(core, requestWith());
  core.retry(decision, plan.primary[0] as Target, 1);
  core.firstByte(decision, 2);
  core.firstByte(decision, 3);
  const usage = { promptTokens: 1, completionTokens: 7, cachedTokens: null };
  core.end(decision, "client-left", { ...completed, usage }, 4);
  core.end(decision, "completed", completed, 5);
  core.firstByte(decision, 6);
  assert.deepEqual(heard, ["retry 0 to 1", "first byte from 1", "client-left on 1, 7 tokens"]);
  const record = core.decisions.read(decision);
  assert.deepEqual([record?.state, record?.how], ["closed", "client-left"]);
  assert.equal(record?.outcome?.usage, usage);
});

test("exchange: one without end expires at its deadline, oldest first", () => {
  const { core } = poolWith({ exchangeTimeoutMs: 1000 });
  assert.equal(core.nextDeadlineMs(), Number.POSITIVE_INFINITY);
  const first = decided(core, requestWith(), 10);
  const second = decided(core, requestWith(), 20);
  assert.equal(core.nextDeadlineMs(), 1010);
  core.tick(1009);
  assert.equal(core.inFlightCount, 2);
  core.tick(1010);
  assert.equal(core.inFlightCount, 1);
  assert.equal(core.decisions.read(first.decision)?.state, "expired");
  assert.equal(core.decisions.read(first.decision)?.how, "expired");
  assert.equal(core.decisions.read(second.decision)?.state, "open");
  core.end(first.decision, "completed", completed, 1011);
  assert.deepEqual(inFlight(core), [1]);
  core.tick(1e9);
  assert.deepEqual(inFlight(core), [0]);
  assert.equal(core.nextDeadlineMs(), Number.POSITIVE_INFINITY);
});

test("exchange: an end after its decision left the ring still releases", () => {
  const { core } = poolWith({ decisionCapacity: 1 });
  const first = decided(core, requestWith());
  served(core, requestWith());
  assert.equal(core.decisions.read(first.decision), undefined);
  core.end(first.decision, "completed", completed, 0);
  assert.deepEqual(inFlight(core), [0]);
});

test("exchange: a request without first byte waits, one with it does not", () => {
  const { core } = poolWith({ endpoints: [{ queue: 3 }] });
  const { decision } = decided(core, requestWith(), 1);
  assert.equal(core.endpoints.column(waitingQueueDepth)[0], 4);
  core.firstByte(decision, 2);
  assert.equal(core.endpoints.column(waitingQueueDepth)[0], 3);
  assert.deepEqual(inFlight(core), [1]);
});

test("exchange: an endpoint that came back owes nothing to requests of its former life", () => {
  const { core } = poolWith({ endpoints: [{ id: "a" }] });
  const old = decided(core, requestWith());
  core.endpoint({ kind: "removed", id: endpointId("a") }, 1);
  addReady(core, { id: "a" }, 2);
  decided(core, requestWith(), 3);
  core.firstByte(old.decision, 4);
  core.end(old.decision, "connection-lost", completed, 5);
  assert.deepEqual(inFlight(core), [1]);
});

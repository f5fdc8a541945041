import assert from "node:assert/strict";
import test from "node:test";
import { endpointWith } from "../../test/fixtures/endpoint-with.ts";
import { addReady, completed, decided, poolWith, served } from "../../test/fixtures/pool-core.ts";
import { requestWith } from "../../test/fixtures/request-with.ts";
import { WEIGHED } from "../../test/fixtures/shared-pool-run.ts";
import { inFlightRequests } from "../endpoints/numeric-attribute.ts";
import type { PoolRouterCore } from "./pool-router-core.ts";
import { type PoolNews, sharedPool } from "./pool-sharing.ts";

/** An owner and a follower in one thread; news wait until they are passed on. */
function pair(endpoints = 1): {
  owner: PoolRouterCore;
  follower: PoolRouterCore;
  toFollower: PoolNews[];
  toOwner: PoolNews[];
  pass(): void;
} {
  const shared = sharedPool({ deciders: 2, inFlightMax: 10 });
  const toFollower: PoolNews[] = [];
  const toOwner: PoolNews[] = [];
  const { core: owner } = poolWith({
    ...WEIGHED,
    endpoints: Array.from({ length: endpoints }, () => ({})),
    sharing: { ...shared, thread: 0, news: [], tell: (news) => void toFollower.push(news) },
  });
  toFollower.length = 0;
  const { core: follower } = poolWith({
    ...WEIGHED,
    inFlightMax: 10,
    endpoints: [],
    sharing: {
      ...shared,
      thread: 1,
      news: owner.pool.news(),
      tell: (news) => void toOwner.push(news),
    },
  });
  const pass = (): void => {
    for (const news of toFollower.splice(0)) follower.pool.learn(structuredClone(news));
    for (const news of toOwner.splice(0)) owner.pool.learn(structuredClone(news));
  };
  return { owner, follower, toFollower, toOwner, pass };
}

test("pool-endpoints: a follower knows what the owner knew when it began", () => {
  const { follower } = pair(2);
  assert.deepEqual(
    [0, 1].map((slot) => follower.endpoints.id(slot)),
    ["e0", "e1"],
  );
  assert.equal(follower.endpoints.isReady(1), true);
});

test("pool-endpoints: a slot is not used until its endpoint's name has come", () => {
  const { owner, follower, pass } = pair();
  owner.endpoint({ kind: "removed", id: owner.endpoints.id(0) }, 0);
  // Readiness and figures are seen at once, but the follower would send to the endpoint that is gone.
  assert.equal(addReady(owner, { id: "next" }), 0);
  assert.equal(follower.endpoints.isReady(0), false);
  assert.equal(follower.arrive(requestWith(), 0).kind, "rejected");
  pass();
  assert.equal(decided(follower, requestWith()).plan.primary[0]?.id, "next");
});

test("pool-endpoints: what one thread has in flight every thread sees", () => {
  const { owner, follower } = pair();
  const { decision } = decided(follower, requestWith());
  assert.equal(owner.endpoints.column(inFlightRequests)[0], 1);
  assert.equal(owner.inFlightCount, 1);
  follower.end(decision, "completed", completed, 0);
  assert.equal(owner.endpoints.column(inFlightRequests)[0], 0);
  assert.equal(owner.inFlightCount, 0);
});

test("pool-endpoints: requests in flight are bounded over all threads", () => {
  const { owner, follower } = pair();
  owner.pool.part.memory.exchangeCounts[2] = 9;
  decided(follower, requestWith());
  const refused = follower.arrive(requestWith(), 0);
  assert.equal(refused.kind === "rejected" && refused.rejection.reason, "overloaded");
});

test("pool-endpoints: a follower's word that an endpoint fails ejects it, unless the slot has another", () => {
  const { owner, follower, pass } = pair();
  follower.health(0, false, 0);
  assert.equal(owner.endpoints.isReady(0), true);
  pass();
  assert.equal(owner.endpoints.isReady(0), false);
  assert.equal(follower.endpoints.isReady(0), false);
  owner.health(0, true, 0);
  follower.health(0, false, 0);
  owner.endpoint({ kind: "removed", id: owner.endpoints.id(0) }, 0);
  addReady(owner, { id: "next" });
  pass();
  assert.equal(owner.endpoints.isReady(0), true);
});

test("pool-endpoints: an index that had to move is found again, prefixes and all", () => {
  const { owner, follower, pass } = pair(2);
  const prompt = "the same beginning of a prompt ".repeat(10);
  const first = served(follower, requestWith({ prompt }));
  // More than the index has room for.
  for (let at = 2; at < 20; at++) addReady(owner, { id: `e${at}` });
  served(follower, requestWith({ prompt: "until it is told where, it knows no prefix" }));
  pass();
  assert.equal(served(follower, requestWith({ prompt })), first);
});

test("pool-endpoints: a change of labels reaches the follower and keeps the slot", () => {
  const { owner, follower, pass } = pair();
  const endpoint = endpointWith({ id: "e0", labels: { zone: "b" } });
  const address = owner.endpoints.address(0);
  owner.endpoint({ kind: "added", endpoint: { ...endpoint, address } }, 0);
  pass();
  assert.equal(follower.endpoints.labels(0)["zone"], "b");
  assert.equal(follower.endpoints.isReady(0), true);
});

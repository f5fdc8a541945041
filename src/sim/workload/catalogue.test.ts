import assert from "node:assert/strict";
import test from "node:test";
import { ConfigError } from "../../core/config-error.ts";
import { SeededRng } from "../../core/rng.ts";
import { ARRIVAL_KINDS, arrivalTimes } from "./arrival-times.ts";
import { WORKLOADS } from "./catalogue.ts";
import { type Pace, planWorkload } from "./plan-workload.ts";
import type { WorkloadRequest } from "./workload.ts";

const FACTS = { kvTokens: 100_000, replicas: 2, maxModelLen: 32_768 };
const OPEN: Pace = { kind: "open", arrivals: "constant", ladder: [{ perSecond: 10 }] };

function plan(name: string, params: Readonly<Record<string, number>> = {}, requests = 40) {
  const common = { requests, seconds: undefined, seed: 1, facts: FACTS };
  return planWorkload({ name, params, pace: OPEN, ...common });
}

function requestsOf(name: string, params: Readonly<Record<string, number>> = {}, count = 40) {
  const requests: WorkloadRequest[] = [];
  for (const stage of plan(name, params, count).stages()) {
    assert.ok(Symbol.iterator in stage.arrivals);
    for (const { request } of stage.arrivals) requests.push(request);
  }
  return requests;
}

const tokensOf = ({ segments }: WorkloadRequest): number =>
  segments.reduce((sum, { tokenCount }) => sum + tokenCount, 0);
const idsOf = ({ segments }: WorkloadRequest): string => segments.map(({ id }) => id).join();

for (const { name } of WORKLOADS) {
  test(`workload ${name}: requests are whole, fit the model and are the same again`, () => {
    const requests = requestsOf(name);
    assert.ok(requests.length > 0);
    for (const request of requests) {
      for (const { id, tokenCount } of request.segments) {
        assert.ok(Number.isSafeInteger(id) && Number.isSafeInteger(tokenCount) && tokenCount > 0);
      }
      assert.ok(Number.isSafeInteger(request.outputTokens) && request.outputTokens > 0);
      assert.ok(tokensOf(request) + request.outputTokens <= FACTS.maxModelLen);
    }
    const again = requestsOf(name);
    assert.deepEqual(again.map(idsOf), requests.map(idsOf));
    assert.deepEqual(again.map(tokensOf), requests.map(tokensOf));
  });
}

test("workload heterogeneous: one in ten is long, and none share anything", () => {
  const requests = requestsOf("heterogeneous", {}, 100);
  assert.equal(requests.filter((request) => tokensOf(request) === 13_000).length, 10);
  assert.equal(tokensOf(requests[0] as WorkloadRequest), 13_000);
  assert.equal(new Set(requests.map(idsOf)).size, 100);
});

test("workload prefix-pairs: a chunk's prefixes come before their continuations, then it ends", () => {
  const requests = requestsOf("prefix-pairs", { pairs: 4, chunk: 2 }, 100);
  const lengths = requests.map(({ segments }) => segments.length);
  assert.deepEqual(lengths, [1, 1, 2, 2, 1, 1, 2, 2]);
  assert.equal(requests[0]?.segments[0]?.id, requests[2]?.segments[0]?.id);
});

test("workload kv-fill: every prompt comes twice, ten apart, and they fill the share asked for", () => {
  const requests = requestsOf("kv-fill", { promptTokens: 1000 }, 1000);
  const distinct = new Set(requests.map(idsOf));
  assert.equal(requests.length, 2 * distinct.size);
  assert.equal(distinct.size, Math.floor((100_000 * 0.8) / 1000) * 2);
});

test("workload shared-prefix: without a number of prompts each question is new", () => {
  const requests = requestsOf("shared-prefix", { groups: 3, promptsPerGroup: 0 }, 50);
  assert.equal(new Set(requests.map(({ segments }) => segments[0]?.id)).size, 3);
  assert.equal(new Set(requests.map(({ segments }) => segments[1]?.id)).size, 50);
});

test("workload code-agent: each turn goes on where the last one ended, within the context", () => {
  const [first] = requestsOf("code-agent", { turns: 30 }, 1);
  let turn = first;
  let turns = 0;
  while (turn !== undefined) {
    const before: WorkloadRequest = turn;
    const next: WorkloadRequest | undefined = before.followUp?.()?.request;
    turns++;
    if (next !== undefined) {
      assert.deepEqual(next.segments.slice(0, before.segments.length), before.segments);
      const answer = next.segments[before.segments.length];
      assert.equal(answer?.tokenCount, before.outputTokens);
      assert.ok(tokensOf(next) <= FACTS.maxModelLen);
    }
    turn = next;
  }
  assert.ok(turns > 1);
});

for (const kind of ARRIVAL_KINDS) {
  test(`arrivals ${kind}: times rise and keep the rate`, () => {
    const times = arrivalTimes(kind, 20, new SeededRng(3)).take(4000).toArray();
    assert.deepEqual(
      times,
      times.toSorted((one, other) => one - other),
    );
    const perSecond = 4000 / ((times.at(-1) ?? 0) / 1e6);
    assert.ok(Math.abs(perSecond / 20 - 1) < 0.05, `${perSecond}`);
  });
}

test("plan: a ladder has a stage for each rate, as long as its own or the common seconds", () => {
  const ladder = [{ perSecond: 5, seconds: 4 }, { perSecond: 10 }];
  const pace: Pace = { kind: "open", arrivals: "poisson", ladder };
  const common = { requests: undefined, seconds: 3, seed: 1, facts: FACTS };
  const workload = planWorkload({ name: "fixed", params: {}, pace, ...common });
  const counts: [string, number][] = [];
  for (const { name, arrivals } of workload.stages()) {
    assert.ok(Symbol.iterator in arrivals);
    counts.push([name, [...arrivals].length]);
  }
  assert.deepEqual(counts, [
    ["rate 5", 20],
    ["rate 10", 30],
  ]);
});

const faults: readonly [name: string, params: Readonly<Record<string, number>>, says: RegExp][] = [
  ["chatt", {}, /no workload is named chatt \(allowed: chat, /],
  ["fixed", { tokens: 1 }, /fixed has no parameter tokens \(allowed: promptTokens, outputTokens\)/],
  ["fixed", { promptTokens: -1 }, /promptTokens must be a whole number above 0/],
  ["prefix-pairs", { chunk: 0 }, /chunk must be a whole number above 0/],
  ["chat", { thinkSeconds: -1 }, /thinkSeconds must be a number of at least 0/],
];
for (const [name, params, says] of faults) {
  test(`plan: ${name} with ${JSON.stringify(params)} is refused`, () => {
    assert.throws(
      () => plan(name, params),
      (error) => error instanceof ConfigError && says.test(error.message),
    );
  });
}

import assert from "node:assert/strict";
import test from "node:test";
import type { EndpointTraits } from "../../test/fixtures/endpoint-with.ts";
import { columnScorer, pluginOf, throwing } from "../../test/fixtures/plugin-of.ts";
import { addReady, decided, poolWith } from "../../test/fixtures/pool-core.ts";
import { requestWith } from "../../test/fixtures/request-with.ts";
import { kvCacheUsage } from "../endpoints/numeric-attribute.ts";
import type { Decision, ProfileDecision } from "./decision.ts";

/** Scores an endpoint by its KV usage, so that a test sets scores at will. */
const usageScorer = columnScorer("usage-scorer", kvCacheUsage);

/** Throws for a request that asks for it by header. */
const fragileFilter = pluginOf("fragile-filter", {
  filter(cycle) {
    if (cycle.request.header("x-fail") !== undefined) throwing();
  },
});

function poolOf(endpoints: readonly EndpointTraits[]) {
  return poolWith({
    endpoints,
    isCorrectingMetrics: false,
    plugins: [
      "single-profile-handler",
      "decode-filter",
      fragileFilter,
      usageScorer,
      "queue-scorer",
      "max-score-picker",
    ],
    profiles: {
      default: [
        "decode-filter",
        "fragile-filter",
        ["usage-scorer", 2],
        ["queue-scorer", 0.5],
        "max-score-picker",
      ],
    },
  }).core;
}

function lastDecision(core: ReturnType<typeof poolOf>): Decision {
  const [decision] = core.decisions.latest(1);
  assert.ok(decision !== undefined);
  return decision;
}

function onlyProfile(decision: Decision): ProfileDecision {
  assert.equal(decision.profiles.length, 1);
  return decision.profiles[0] as ProfileDecision;
}

test("decision-record: tells each candidate's scores, total and rank, or who rejected it and why", () => {
  const core = poolOf([
    { kv: 0.25, queue: 0 },
    { kv: 1, queue: 0, role: "prefill" },
    { kv: 0.75, queue: 4 },
  ]);
  decided(core, requestWith());
  const profile = onlyProfile(lastDecision(core));
  assert.deepEqual(profile.scorers, [
    { scorer: "usage-scorer", weight: 2 },
    { scorer: "queue-scorer", weight: 0.5 },
  ]);
  const kept = { rejectedBy: null, reason: null };
  assert.deepEqual(
    profile.candidates.map(({ metrics: _metrics, ...fate }) => fate),
    [
      {
        endpoint: "e0",
        ...kept,
        scores: [
          { raw: 0.25, weighted: 0.5 },
          { raw: 1, weighted: 0.5 },
        ],
        total: 1,
        rank: 2,
      },
      {
        endpoint: "e1",
        rejectedBy: "decode-filter",
        reason: "role is prefill",
        scores: [],
        total: null,
        rank: null,
      },
      {
        endpoint: "e2",
        ...kept,
        scores: [
          { raw: 0.75, weighted: 1.5 },
          { raw: 0, weighted: 0 },
        ],
        total: 1.5,
        rank: 1,
      },
    ],
  );
  assert.deepEqual(profile.omitted, []);
});

test("decision-record: the margin is the distance to the runner-up", () => {
  const core = poolOf([{ kv: 0.25 }, { kv: 0.75 }, { kv: 0.5 }]);
  decided(core, requestWith());
  const profile = onlyProfile(lastDecision(core));
  assert.deepEqual([profile.picked, profile.runnerUp, profile.margin], ["e1", "e2", 0.5]);
  assert.deepEqual(
    profile.candidates.map(({ rank }) => rank),
    [3, 1, 2],
  );
});

test("decision-record: a single survivor has no runner-up and no margin", () => {
  const core = poolOf([{ kv: 0.25 }, { role: "prefill" }]);
  decided(core, requestWith());
  const profile = onlyProfile(lastDecision(core));
  assert.deepEqual([profile.picked, profile.runnerUp, profile.margin], ["e0", null, null]);
});

test("decision-record: when all were rejected nobody is picked and each has a reason", () => {
  const core = poolOf([{ role: "prefill" }, { role: "encode" }]);
  core.arrive(requestWith(), 0);
  const decision = lastDecision(core);
  const profile = onlyProfile(decision);
  assert.equal(decision.rejection?.reason, "filtered-out");
  assert.equal(profile.picked, null);
  assert.deepEqual(
    profile.candidates.map(({ reason }) => reason),
    ["role is prefill", "role is encode"],
  );
});

test("decision-record: a run that failed in a filter shows no scores of an earlier one", () => {
  const core = poolOf([{ kv: 0.5, queue: 0 }]);
  decided(core, requestWith());
  core.arrive(requestWith({ headers: { "x-fail": "1" } }), 0);
  const decision = lastDecision(core);
  assert.equal(decision.rejection?.reason, "plugin-failed");
  const [fate] = onlyProfile(decision).candidates;
  assert.deepEqual(
    fate?.scores.map(({ raw }) => raw),
    [0, 0],
  );
  assert.deepEqual([fate?.total, fate?.rank], [0, null]);
});

test("decision-record: 128 candidates are all listed", () => {
  const core = poolOf(Array.from({ length: 128 }, (_, at) => ({ kv: at / 200 })));
  decided(core, requestWith());
  const profile = onlyProfile(lastDecision(core));
  assert.equal(profile.candidates.length, 128);
  assert.deepEqual(profile.omitted, []);
});

test("decision-record: of 129 and more the 32 best are listed and the others counted", () => {
  const roles = ["prefill", "encode", undefined, undefined];
  const core = poolOf(
    Array.from({ length: 200 }, (_, at) => {
      const role = roles[at % 4];
      return { kv: at / 200, ...(role === undefined ? {} : { role }) };
    }),
  );
  decided(core, requestWith());
  const profile = onlyProfile(lastDecision(core));
  assert.equal(profile.candidates.length, 32);
  assert.deepEqual(
    profile.candidates.map(({ rank }) => rank),
    Array.from({ length: 32 }, (_, at) => at + 1),
  );
  assert.deepEqual([profile.picked, profile.runnerUp], ["e199", "e198"]);
  assert.deepEqual(profile.omitted, [
    { filter: "decode-filter", reason: "role is prefill", count: 50 },
    { filter: "decode-filter", reason: "role is encode", count: 50 },
    { filter: null, reason: null, count: 68 },
  ]);
});

test("decision-record: a large pool with few survivors lists those", () => {
  const core = poolOf(
    Array.from({ length: 150 }, (_, at) => (at < 3 ? { kv: at / 10 } : { role: "prefill" })),
  );
  decided(core, requestWith());
  const profile = onlyProfile(lastDecision(core));
  assert.deepEqual(
    profile.candidates.map(({ endpoint }) => endpoint),
    ["e2", "e1", "e0"],
  );
  assert.deepEqual(profile.omitted, [
    { filter: "decode-filter", reason: "role is prefill", count: 147 },
  ]);
});

test("decision-record: what is unknown is null, and what was removed since stays readable", () => {
  const core = poolOf([{ kv: 0.25 }]);
  decided(core, requestWith(), 30);
  const endpoint = core.endpoints.id(0);
  core.endpoint({ kind: "removed", id: endpoint }, 31);
  const [fate] = onlyProfile(lastDecision(core)).candidates;
  assert.equal(fate?.endpoint, "e0");
  assert.deepEqual(fate?.metrics, {
    ageMs: 30,
    waitingQueueDepth: null,
    scrapedWaitingQueueDepth: null,
    kvCacheUsage: 0.25,
    scrapedKvCacheUsage: 0.25,
    runningRequests: null,
    inFlightRequests: 0,
  });
});

test("decision-record: a candidate keeps its name when its slot is given to another endpoint", () => {
  const core = poolOf([{ kv: 0.25 }]);
  decided(core, requestWith(), 30);
  core.endpoint({ kind: "removed", id: core.endpoints.id(0) }, 31);
  assert.equal(addReady(core, { id: "heir" }, 32), 0);
  assert.equal(onlyProfile(lastDecision(core)).candidates[0]?.endpoint, "e0");
  decided(core, requestWith(), 33);
  assert.equal(onlyProfile(lastDecision(core)).candidates[0]?.endpoint, "heir");
});

test("decision-record: keeps facts of the request and none of its text", () => {
  const core = poolOf([{}]);
  decided(core, requestWith({ prompt: "secret text", id: "r1" }));
  const decision = lastDecision(core);
  assert.equal(decision.request.promptBytes, 11);
  assert.equal(decision.request.kind, "completion");
  assert.equal(JSON.stringify(decision).includes("secret"), false);
});

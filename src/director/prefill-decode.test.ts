import assert from "node:assert/strict";
import test from "node:test";
import type { EndpointTraits } from "../../test/fixtures/endpoint-with.ts";
import { completed, decided, poolWith, served } from "../../test/fixtures/pool-core.ts";
import { type RequestTraits, requestWith } from "../../test/fixtures/request-with.ts";
import { inFlightRequests } from "../endpoints/numeric-attribute.ts";
import type { Target } from "./dispatch-plan.ts";
import type { PoolRouterCore } from "./pool-router-core.ts";

const PREFIX = { blockBytes: 64, maxPrefixBlocksToMatch: 1000, lruCapacityPerServer: 10_000 };

/** The P/D configuration of the field: threshold in bytes, filters by role, random pickers. */
function pdPool(endpoints: readonly EndpointTraits[], threshold: number, isCaching = false) {
  const producer = { plugin: "approx-prefix-cache-producer", parameters: PREFIX };
  return poolWith({
    endpoints,
    plugins: [
      { plugin: "pd-profile-handler", parameters: { threshold } },
      "prefill-header-handler",
      ...(isCaching ? [producer] : []),
      "prefill-filter",
      "decode-filter",
      "random-picker",
    ],
    profiles: {
      prefill: ["prefill-filter", "random-picker"],
      decode: ["decode-filter", "random-picker"],
    },
  }).core;
}

const P: EndpointTraits = { role: "prefill" };
const D: EndpointTraits = { role: "decode" };

function inFlight(core: PoolRouterCore): readonly number[] {
  return [...core.endpoints.column(inFlightRequests).subarray(0, core.endpoints.slotCount)];
}

const journeys: readonly {
  name: string;
  endpoints: readonly EndpointTraits[];
  threshold?: number;
  request: RequestTraits;
  want: string;
}[] = [
  {
    name: "one byte below the threshold",
    endpoints: [P, D],
    request: { prompt: "a".repeat(29_999) },
    want: "e1",
  },
  {
    name: "at the threshold",
    endpoints: [P, D],
    request: { prompt: "a".repeat(30_000) },
    want: "e0 > e1",
  },
  {
    name: "a chat message that its frame lifts to the threshold",
    endpoints: [P, D],
    request: { chat: "a".repeat(29_972) },
    want: "e0 > e1",
  },
  { name: "threshold 0", endpoints: [P, D], threshold: 0, request: {}, want: "e0 > e1" },
  { name: "only decode endpoints", endpoints: [D], threshold: 0, request: {}, want: "e0" },
  {
    name: "an unlabelled endpoint decodes for a prefill one",
    endpoints: [{}, P],
    threshold: 0,
    request: {},
    want: "e1 > e0",
  },
  {
    name: "an endpoint of both roles serves both legs",
    endpoints: [{ role: "both" }],
    threshold: 0,
    request: {},
    want: "e0 > e0",
  },
  {
    name: "X-Prefill true",
    endpoints: [P, D],
    request: { headers: { "x-prefill": "true" } },
    want: "e0",
  },
  {
    name: "X-Prefill false",
    endpoints: [P, D],
    threshold: 0,
    request: { headers: { "x-prefill": "false" } },
    want: "e1",
  },
];
for (const { name, endpoints, threshold = 30_000, request, want } of journeys) {
  test(`prefill-decode: ${name}: ${want}`, () => {
    assert.equal(served(pdPool(endpoints, threshold), requestWith(request)), want);
  });
}

test("prefill-decode: only prefill endpoints are a refusal with status 429", () => {
  const admission = pdPool([P, P], 0).arrive(requestWith(), 0);
  assert.equal(admission.kind === "rejected" && admission.rejection.reason, "filtered-out");
});

test("prefill-decode: no endpoint at all is no-endpoints", () => {
  const admission = pdPool([], 0).arrive(requestWith(), 0);
  assert.equal(admission.kind === "rejected" && admission.rejection.reason, "no-endpoints");
});

test("prefill-decode: the plan names ranked prefill endpoints, in the header as many as allowed", () => {
  const core = pdPool([P, P, P, D], 0);
  const { plan } = decided(core, requestWith());
  assert.equal(plan.prefill.length, 3);
  assert.equal(plan.primary.length, 1);
  assert.equal(
    plan.setHeaders.get("x-prefiller-host-port"),
    `${plan.prefill[0]?.address},${plan.prefill[1]?.address}`,
  );
  const record = core.decisions.read(1);
  assert.deepEqual(
    record?.profiles.map(({ profile }) => profile),
    ["decode", "prefill"],
  );
  assert.equal(record?.prefillEndpoint, plan.prefill[0]?.id);
});

test("prefill-decode: a whole request gets no prefill header and its client's is removed", () => {
  const { plan } = decided(pdPool([P, D], 30_000), requestWith());
  assert.equal(plan.setHeaders.size, 0);
  assert.ok(plan.removeHeaders.includes("x-prefiller-host-port"));
});

test("prefill-decode: a repeated prompt stays whole, because decode holds its blocks", () => {
  const core = pdPool([P, D], 1000, true);
  const request = requestWith({ prompt: "a".repeat(6400) });
  assert.equal(served(core, request), "e0 > e1");
  assert.equal(served(core, request), "e1");
  // 1,000 fresh bytes after the 6,400 known ones are at the threshold again.
  assert.equal(served(core, requestWith({ prompt: "a".repeat(6400) + "b".repeat(999) })), "e1");
  const grown = requestWith({ prompt: "a".repeat(6400) + "c".repeat(1000) });
  assert.equal(served(core, grown), "e0 > e1");
});

test("prefill-decode: both legs are charged, and the first byte frees the prefill endpoint", () => {
  const core = pdPool([P, D], 0);
  const { decision } = decided(core, requestWith());
  assert.deepEqual(inFlight(core), [1, 1]);
  core.firstByte(decision, 1);
  assert.deepEqual(inFlight(core), [0, 1]);
  core.end(decision, "completed", completed, 2);
  assert.deepEqual(inFlight(core), [0, 0]);
});

test("prefill-decode: an end without first byte frees both legs", () => {
  const core = pdPool([P, D], 0);
  const { decision } = decided(core, requestWith());
  core.end(decision, "engine-error", completed, 1);
  assert.deepEqual(inFlight(core), [0, 0]);
});

test("prefill-decode: two legs on one endpoint are two charges", () => {
  const core = pdPool([{ role: "both" }], 0);
  const { decision } = decided(core, requestWith());
  assert.deepEqual(inFlight(core), [2]);
  core.firstByte(decision, 1);
  assert.deepEqual(inFlight(core), [1]);
  core.end(decision, "completed", completed, 2);
  assert.deepEqual(inFlight(core), [0]);
});

test("prefill-decode: a retry moves decode and keeps the prefill choice", () => {
  const core = pdPool([P, D, D], 0);
  const { plan, decision } = decided(core, requestWith());
  const failed = plan.primary[0] as Target;
  const next = core.retry(decision, failed, 1);
  assert.equal(next?.id, failed.id === "e1" ? "e2" : "e1");
  assert.equal(inFlight(core)[0], 1);
  assert.equal(inFlight(core)[failed.slot], 0);
  assert.equal(core.decisions.read(decision)?.prefillEndpoint, "e0");
  core.end(decision, "completed", completed, 2);
  assert.deepEqual(inFlight(core), [0, 0, 0]);
});

test("prefill-decode: every pair of endpoints is equally likely", () => {
  const core = pdPool([P, P, D, D], 0);
  const counts = new Map<string, number>();
  for (let i = 0; i < 4000; i++) {
    const pair = served(core, requestWith());
    counts.set(pair, (counts.get(pair) ?? 0) + 1);
  }
  assert.equal(counts.size, 4);
  const chiSquare = [...counts.values()].reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
  // 99.9 % of uniform samples stay below 16.3 with three degrees of freedom.
  assert.ok(chiSquare < 16.3, `chi-square ${chiSquare}`);
});

import assert from "node:assert/strict";
import test from "node:test";
import { fixedClock } from "../../test/fixtures/fixed-clock.ts";
import { pluginOf, throwing } from "../../test/fixtures/plugin-of.ts";
import { addReady, completed, decided, poolWith, served } from "../../test/fixtures/pool-core.ts";
import { requestWith } from "../../test/fixtures/request-with.ts";
import { endpointId } from "../core/brand.ts";
import { REJECTION_ANSWERS } from "../core/rejection.ts";
import type { RequestCycle } from "../plugin/cycle.ts";
import type { PluginInstance } from "../plugin/plugin-instance.ts";
import type { Admission } from "./router-core.ts";

function reasonOf(admission: Admission): string {
  return admission.kind === "rejected" ? admission.rejection.reason : admission.kind;
}

test("pool-router-core: a request is decided and its plan names endpoint, generation and address", () => {
  const { core, counted } = poolWith({ endpoints: [{ address: "[::1]:9000" }] });
  const { plan, decision } = decided(core, requestWith());
  assert.deepEqual(plan.primary, [
    { slot: 0, generation: 1, id: endpointId("e0"), address: "[::1]:9000" },
  ]);
  assert.deepEqual([plan.prefill, plan.edits, plan.legs], [[], [], "sidecar"]);
  assert.equal(decision, 1);
  assert.equal(core.inFlightCount, 1);
  const labels = { status: "success", model: "m", endpoint: "e0", stages: "decode-only" };
  assert.deepEqual(
    counted.readings.filter(({ name }) => name === "decisions"),
    [{ name: "decisions", labels, value: 1 }],
  );
});

test("pool-router-core: a pool without ready endpoint refuses, and the decision says so", () => {
  const { core } = poolWith({ endpoints: [] });
  assert.equal(reasonOf(core.arrive(requestWith(), 0)), "no-endpoints");
  addReady(core, { id: "a" });
  core.health(0, false, 1);
  const admission = core.arrive(requestWith(), 1);
  assert.equal(reasonOf(admission), "no-endpoints");
  const decision = core.decisions.read(2);
  assert.deepEqual(
    [decision?.state, decision?.rejection?.reason, decision?.profiles],
    ["closed", "no-endpoints", []],
  );
  assert.equal(core.inFlightCount, 0);
});

test("pool-router-core: a draining router decides nothing more", () => {
  const { core } = poolWith();
  const { decision } = decided(core, requestWith());
  core.drain();
  const admission = core.arrive(requestWith(), 0);
  assert.equal(reasonOf(admission), "draining");
  assert.equal(admission.decision, undefined);
  core.end(decision, "completed", completed, 0);
  assert.equal(core.inFlightCount, 0);
});

test("pool-router-core: requests in flight are bounded", () => {
  const { core } = poolWith({ inFlightMax: 2 });
  const first = decided(core, requestWith());
  decided(core, requestWith());
  assert.equal(reasonOf(core.arrive(requestWith(), 0)), "overloaded");
  core.end(first.decision, "completed", completed, 0);
  assert.equal(reasonOf(core.arrive(requestWith(), 0)), "decided");
});

test("pool-router-core: an endpoint that is not ready is no candidate", () => {
  const { core } = poolWith({ endpoints: [{}, {}, {}] });
  core.health(0, false, 0);
  core.health(2, false, 0);
  for (let i = 0; i < 10; i++) assert.equal(served(core, requestWith()), "e1");
});

/** Behaviours of one plugin, and what becomes of a request in its presence. */
const behaviours: readonly [name: string, instance: PluginInstance, want: string][] = [
  ["a request hook that throws is passed over", { onRequest: throwing }, "decided"],
  ["a producer that throws is passed over", { produce: throwing }, "decided"],
  ["a plan hook that throws is passed over", { onPlan: throwing }, "decided"],
  ["an admission that throws refuses", { admit: throwing }, "plugin-failed"],
  [
    "an admission may refuse",
    { admit: () => ({ reason: "overloaded", message: "later" }) },
    "overloaded",
  ],
  ["an admission that says nothing admits", { admit: () => undefined }, "decided"],
];
for (const [name, instance, want] of behaviours) {
  test(`pool-router-core: ${name}`, () => {
    const { core, counted } = poolWith({
      plugins: ["single-profile-handler", pluginOf("mine", instance), "max-score-picker"],
    });
    assert.equal(reasonOf(core.arrive(requestWith(), 0)), want);
    const isThrowing = Object.values(instance).includes(throwing);
    assert.equal(counted.total("plugin-failures"), isThrowing ? 1 : 0);
  });
}

const roleFailures: readonly [name: string, instance: PluginInstance, want: string][] = [
  ["scorer", { score: throwing }, "decided"],
  ["filter", { filter: throwing }, "plugin-failed"],
  ["picker", { pick: throwing }, "plugin-failed"],
];
for (const [role, instance, want] of roleFailures) {
  test(`pool-router-core: a ${role} that throws ends ${want}`, () => {
    const isPicker = instance.pick !== undefined;
    const { core, logged } = poolWith({
      plugins: ["single-profile-handler", pluginOf("mine", instance), "max-score-picker"],
      profiles: { default: isPicker ? ["mine"] : ["mine", "max-score-picker"] },
    });
    const admission = core.arrive(requestWith(), 0);
    assert.equal(reasonOf(admission), want);
    assert.ok(logged.lines.some((line) => line.event === "plugin-failed"));
    if (admission.kind === "rejected") {
      assert.equal(REJECTION_ANSWERS[admission.rejection.reason].status, 500);
      assert.match(admission.rejection.message, /mine/);
    }
  });
}

test("pool-router-core: filters that leave nobody of a ready pool are 429", () => {
  const { core } = poolWith({
    endpoints: [{ role: "prefill" }, { role: "encode" }],
    plugins: ["single-profile-handler", "decode-filter", "max-score-picker"],
    profiles: { default: ["decode-filter", "max-score-picker"] },
  });
  const admission = core.arrive(requestWith(), 0);
  assert.equal(reasonOf(admission), "filtered-out");
  assert.equal(REJECTION_ANSWERS["filtered-out"].status, 429);
  assert.equal(core.decisions.read(1)?.state, "closed");
});

test("pool-router-core: plan hooks set headers by lower-case name, and clients' routing headers go", () => {
  const hook = pluginOf("mine", { onPlan: (_cycle, plan) => plan.setHeader("X-Mine", "1") });
  const { core } = poolWith({ plugins: ["single-profile-handler", hook, "max-score-picker"] });
  const { plan } = decided(core, requestWith());
  assert.deepEqual([...plan.setHeaders], [["x-mine", "1"]]);
  for (const name of [
    "x-prefiller-host-port",
    "x-encoder-hosts-ports",
    "x-data-parallel-host-port",
    "x-kv-cache-source-host-port",
    "x-gateway-destination-endpoint",
    "x-prefill",
  ]) {
    assert.ok(plan.removeHeaders.includes(name), name);
  }
});

test("pool-router-core: another address is another process", () => {
  const { core } = poolWith({ endpoints: [{ id: "a", queue: 3 }] });
  const { plan } = decided(core, requestWith());
  const moved = { id: endpointId("a"), address: "elsewhere:1", labels: {} };
  core.endpoint({ kind: "added", endpoint: moved }, 1);
  assert.equal(core.endpoints.isReady(0), false);
  assert.equal(core.endpoints.generation(0), (plan.primary[0]?.generation ?? 0) + 1);
  assert.equal(core.slotOf(endpointId("a")), 0);
  core.health(0, true, 2);
  const next = decided(core, requestWith(), 2).plan.primary;
  assert.deepEqual(next, [{ slot: 0, generation: 2, id: "a", address: "elsewhere:1" }]);
});

test("pool-router-core: other labels at the same address keep the endpoint as it is", () => {
  const { core } = poolWith({ endpoints: [{ id: "a", role: "decode" }] });
  const relabelled = { id: endpointId("a"), address: "a:8000", labels: { zone: "z" } };
  core.endpoint({ kind: "added", endpoint: relabelled }, 1);
  assert.equal(core.endpoints.isReady(0), true);
  assert.equal(core.endpoints.generation(0), 1);
  assert.deepEqual(core.endpoints.labels(0), { zone: "z" });
});

test("pool-router-core: what comes late for a removed endpoint changes nothing", () => {
  const { core } = poolWith({ endpoints: [{ id: "a" }, { id: "b" }] });
  core.endpoint({ kind: "removed", id: endpointId("a") }, 1);
  core.endpoint({ kind: "removed", id: endpointId("a") }, 1);
  core.health(0, true, 2);
  core.metrics(0, { startedAtMs: 2, values: new Map() }, 2);
  core.kvEvents(0, [{ kind: "cleared" }], 2);
  assert.equal(core.endpoints.isPresent(0), false);
  assert.equal(served(core, requestWith()), "b");
});

test("pool-router-core: plugins hear once of each change to an endpoint", () => {
  const heard: string[] = [];
  const listener = pluginOf("mine", {
    onEndpoint: (slot, change) => void heard.push(`${slot} ${change}`),
  });
  const { core, logged } = poolWith({
    endpoints: [],
    plugins: ["single-profile-handler", listener, "max-score-picker"],
  });
  addReady(core, { id: "a" });
  core.health(0, true, 1);
  core.health(0, false, 2);
  core.health(0, false, 3);
  core.endpoint({ kind: "removed", id: endpointId("a") }, 4);
  assert.deepEqual(heard, ["0 added", "0 ejected", "0 removed"]);
  assert.deepEqual(
    logged.lines.map((line) => line.event),
    ["endpoint-added", "endpoint-ready", "endpoint-ejected", "endpoint-removed"],
  );
});

test("pool-router-core: a pool larger than its first buffers decides over all endpoints", () => {
  const { core } = poolWith({
    endpoints: Array.from({ length: 100 }, (_, at) => ({ queue: at === 77 ? 0 : 5 })),
    plugins: ["single-profile-handler", "queue-scorer", "max-score-picker"],
    profiles: { default: ["queue-scorer", "max-score-picker"] },
  });
  const { plan, decision } = decided(core, requestWith());
  assert.equal(plan.primary[0]?.id, "e77");
  assert.equal(plan.primary.length, 32);
  assert.equal(plan.advertised, 1);
  const [profile] = core.decisions.read(decision)?.profiles ?? [];
  const ranks = profile?.candidates.map(({ rank }) => rank ?? 0).toSorted((a, b) => a - b);
  assert.deepEqual(
    ranks,
    Array.from({ length: 100 }, (_, at) => at + 1),
  );
});

test("pool-router-core: a decision is timed by the stopwatch, refused or not", () => {
  const { core, counted } = poolWith({ stopwatch: fixedClock(0, 1), endpoints: [] });
  core.arrive(requestWith(), 0);
  assert.equal(counted.readings.filter(({ name }) => name === "decision-ms").length, 1);
});

for (const role of ["max-score-picker", "mine"]) {
  test(`pool-router-core: nothing holds a request's prompt after its decision with ${role}`, () => {
    let kept: RequestCycle | undefined;
    const keeper = pluginOf("mine", {
      produce: (cycle) => {
        kept = cycle;
      },
      pick: throwing,
    });
    const { core } = poolWith({
      plugins: ["single-profile-handler", keeper, "max-score-picker"],
      profiles: { default: [role] },
    });
    assert.equal(core.arrive(requestWith(), 0).kind, role === "mine" ? "rejected" : "decided");
    assert.throws(() => kept?.request, /outside of a decision/);
  });
}

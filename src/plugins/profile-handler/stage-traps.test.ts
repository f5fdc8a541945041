import assert from "node:assert/strict";
import test from "node:test";
import type { EndpointTraits } from "../../../test/fixtures/endpoint-with.ts";
import {
  completed,
  decided,
  type PluginUse,
  poolWith,
  served,
  type TestPool,
} from "../../../test/fixtures/pool-core.ts";
import { requestWith } from "../../../test/fixtures/request-with.ts";
import { ROUTING_HEADERS, type Target } from "../../director/dispatch-plan.ts";

/** Blocks of one estimated token, so that bytes and tokens are easy to compare. */
const PREFIX = { blockBytes: 4, maxPrefixBlocksToMatch: 100_000, lruCapacityPerServer: 100_000 };
const PRODUCER: PluginUse = { plugin: "approx-prefix-cache-producer", parameters: PREFIX };

const P: EndpointTraits = { role: "prefill" };
const D: EndpointTraits = { role: "decode" };

function stagePool(
  uses: readonly PluginUse[],
  endpoints: readonly EndpointTraits[] = [P, D],
  maxNumOfEndpoints = 1,
): TestPool {
  return poolWith({
    endpoints,
    plugins: [
      ...uses,
      "prefill-filter",
      "decode-filter",
      { plugin: "max-score-picker", parameters: { maxNumOfEndpoints } },
    ],
    profiles: {
      prefill: ["prefill-filter", "max-score-picker"],
      decode: ["decode-filter", "max-score-picker"],
    },
  });
}

const byThreshold = (threshold: number): PluginUse => ({
  plugin: "pd-profile-handler",
  parameters: { threshold },
});

/** The handler of today with the decider that counts uncached tokens. */
const byDecider = (nonCachedTokens: number): readonly PluginUse[] => [
  {
    plugin: "disagg-profile-handler",
    parameters: { deciders: { prefill: "prefix-based-pd-decider" } },
  },
  { plugin: "prefix-based-pd-decider", parameters: { nonCachedTokens } },
];

const SPLIT = "e0 > e1";
const WHOLE = "e1";
const prompt = (bytes: number) => requestWith({ prompt: "a".repeat(bytes) });

test("trap 2: a threshold counts bytes, a decider tokens of four bytes", () => {
  for (const [bytes, want] of [
    [9_999, WHOLE],
    [10_000, SPLIT],
  ] as const) {
    assert.equal(served(stagePool([byThreshold(10_000), PRODUCER]).core, prompt(bytes)), want);
  }
  for (const [bytes, want] of [
    [9_996, WHOLE],
    [9_997, SPLIT],
  ] as const) {
    assert.equal(served(stagePool([...byDecider(2_500), PRODUCER]).core, prompt(bytes)), want);
  }
});

test("trap 3: missing prefix state splits under threshold and does not under the decider", () => {
  assert.equal(served(stagePool([byThreshold(64)]).core, prompt(64)), SPLIT);
  assert.equal(served(stagePool(byDecider(16)).core, prompt(64)), WHOLE);
  assert.equal(served(stagePool([...byDecider(16), PRODUCER]).core, prompt(64)), SPLIT);
});

test("trap 3: 0 is always under threshold and never under the decider", () => {
  assert.equal(served(stagePool([byThreshold(0), PRODUCER]).core, prompt(1)), SPLIT);
  assert.equal(served(stagePool([...byDecider(0), PRODUCER]).core, prompt(100_000)), WHOLE);
});

test("trap 3: a decider without prefix state says so, once", () => {
  const { core, logged } = stagePool(byDecider(1));
  served(core, prompt(64));
  served(core, prompt(64));
  const lines = logged.lines.filter(({ event }) => event === "prefix-match-missing");
  assert.deepEqual(
    lines.map(({ level, fields }) => [level, fields]),
    [["error", { plugin: "prefix-based-pd-decider" }]],
  );
});

test("trap 2: the handler of the description's era asks a decider of today's when it names one", () => {
  const handler: PluginUse = {
    plugin: "pd-profile-handler",
    parameters: { deciderPluginName: "prefix-based-pd-decider" },
  };
  const decider: PluginUse = {
    plugin: "prefix-based-pd-decider",
    parameters: { nonCachedTokens: 16 },
  };
  assert.equal(served(stagePool([handler, decider, PRODUCER]).core, prompt(60)), WHOLE);
  assert.equal(served(stagePool([handler, decider, PRODUCER]).core, prompt(64)), SPLIT);
  assert.equal(served(stagePool([handler, decider]).core, prompt(64)), WHOLE);
});

test("trap 10: credit comes with the decision, so the repeat of a running prompt stays whole", () => {
  const { core } = stagePool([...byDecider(16), PRODUCER]);
  const first = decided(core, prompt(640));
  assert.equal(first.plan.prefill.length, 1);
  const second = decided(core, prompt(640));
  assert.equal(second.plan.prefill.length, 0);
  core.end(first.decision, "engine-error", completed, 1);
  assert.equal(served(core, prompt(640)), WHOLE);
  // 16 tokens that decode does not hold are split off again.
  assert.equal(served(core, requestWith({ prompt: `${"a".repeat(640)}${"b".repeat(64)}` })), SPLIT);
});

test("trap 13: headers that steer a sidecar are removed, whatever is set", () => {
  for (const bytes of [4, 640]) {
    const { core } = stagePool([...byDecider(16), PRODUCER]);
    const headers = Object.fromEntries(ROUTING_HEADERS.map((name) => [name, "10.6.6.6:80"]));
    const { plan } = decided(
      core,
      requestWith({ prompt: "a".repeat(bytes), headers: { ...headers, "x-prefill": "true" } }),
    );
    assert.deepEqual(plan.removeHeaders, ROUTING_HEADERS);
    assert.deepEqual(
      [...plan.setHeaders],
      bytes === 4 ? [] : [["x-prefiller-host-port", "e0:8000"]],
    );
  }
});

test("trap 21: bytes count, not characters, under threshold and decider", () => {
  // 22 characters of three bytes: 66 bytes, 17 tokens.
  const request = requestWith({ prompt: "€".repeat(22) });
  assert.equal(served(stagePool([byThreshold(66), PRODUCER]).core, request), SPLIT);
  assert.equal(served(stagePool([byThreshold(67), PRODUCER]).core, request), WHOLE);
  assert.equal(served(stagePool([...byDecider(17), PRODUCER]).core, request), SPLIT);
  assert.equal(served(stagePool([...byDecider(18), PRODUCER]).core, request), WHOLE);
});

for (const type of ["prefill-header-handler", "disagg-headers-handler"]) {
  test(`trap 24: ${type} acts by being listed in plugins alone`, () => {
    const headersOf = (uses: readonly PluginUse[]) =>
      decided(stagePool([byThreshold(0), ...uses]).core, requestWith()).plan.setHeaders;
    assert.equal(headersOf([]).size, 0);
    assert.equal(headersOf([type]).get("x-prefiller-host-port"), "e0:8000");
  });
}

test("trap 24: the handler of today writes its headers itself, and a second writer changes nothing", () => {
  const alone = stagePool([...byDecider(1), PRODUCER]);
  const both = stagePool([...byDecider(1), "disagg-headers-handler", PRODUCER]);
  const headersOf = ({ core }: TestPool) => [...decided(core, prompt(64)).plan.setHeaders];
  const want = [["x-prefiller-host-port", "e0:8000"]];
  assert.deepEqual(headersOf(alone), want);
  assert.deepEqual(headersOf(both), want);
});

test("trap 35: every fallback of decode keeps the one prefill choice", () => {
  const { core } = stagePool([...byDecider(16), PRODUCER], [P, P, D, D], 2);
  const { plan, decision } = decided(core, prompt(640));
  assert.equal(plan.advertised, 2);
  const header = plan.setHeaders.get("x-prefiller-host-port");
  assert.equal(header, plan.prefill.map(({ address }) => address).join(","));
  const next = core.retry(decision, plan.primary[0] as Target, 1);
  assert.equal(next?.id, plan.primary[1]?.id);
  assert.equal(core.decisions.read(decision)?.prefillEndpoint, plan.prefill[0]?.id);
});

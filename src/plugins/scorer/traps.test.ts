import assert from "node:assert/strict";
import test from "node:test";
import type { EndpointTraits } from "../../../test/fixtures/endpoint-with.ts";
import { pluginOf } from "../../../test/fixtures/plugin-of.ts";
import { decided, type PluginUse, poolWith, served } from "../../../test/fixtures/pool-core.ts";
import { requestWith } from "../../../test/fixtures/request-with.ts";
import type { PluginDefinition } from "../../plugin/define-plugin.ts";

/** A pool with one profile of weighted scorers and `max-score-picker`. */
function scoredPool(
  scorers: readonly (readonly [string, number])[],
  endpoints: readonly EndpointTraits[],
  more: readonly PluginUse[] = [],
) {
  const taken = new Set(
    more.map((use) => (typeof use === "object" && "type" in use ? use.type : "")),
  );
  return poolWith({
    plugins: [
      "single-profile-handler",
      ...more,
      ...scorers.map(([type]) => type).filter((type) => !taken.has(type)),
      "max-score-picker",
    ],
    profiles: { default: [...scorers, "max-score-picker"] },
    endpoints,
  });
}

/** Totals by endpoint of the next decision. */
function totalsOf({
  core,
}: ReturnType<typeof scoredPool>): Readonly<Record<string, number | null>> {
  const { decision } = decided(core, requestWith());
  const candidates = core.decisions.read(decision)?.profiles[0]?.candidates ?? [];
  return Object.fromEntries(candidates.map(({ endpoint, total }) => [endpoint, total]));
}

test("trap 4: weights are not normalised, scores are clamped each by itself, totals compare exactly", () => {
  const loud: PluginDefinition = pluginOf("loud-scorer", {
    score(_cycle, _candidates, scores) {
      scores.set([7, -3]);
    },
  });
  const pool = scoredPool(
    [
      ["loud-scorer", 2],
      ["running-requests-size-scorer", 2.5],
      ["kv-cache-utilization-scorer", 1],
    ],
    [
      { running: 4, kv: 0.25 },
      { running: 0, kv: 0.75 },
    ],
    [loud],
  );
  assert.deepEqual(totalsOf(pool), { e0: 2 + 0 + 0.75, e1: 0 + 2.5 + 0.25 });

  const close = scoredPool(
    [["kv-cache-utilization-scorer", 1]],
    [{ kv: 0.5 }, { kv: 0.5 - 2 ** -40 }],
  );
  assert.equal(served(close.core, requestWith()), "e1");
});

test("trap 5: queues scale with the candidates, cache is absolute, requests in flight scale with the most", () => {
  const lone = [{ queue: 900, running: 900, kv: 0.75 }];
  assert.deepEqual(totalsOf(scoredPool([["queue-scorer", 1]], lone)), { e0: 1 });
  assert.deepEqual(totalsOf(scoredPool([["running-requests-size-scorer", 1]], lone)), { e0: 1 });
  assert.deepEqual(totalsOf(scoredPool([["kv-cache-utilization-scorer", 1]], lone)), { e0: 0.25 });
  const busy = scoredPool([["active-request-scorer", 1]], lone);
  decided(busy.core, requestWith());
  assert.deepEqual(totalsOf(busy), { e0: 0 });
});

for (const [scorer, idle, loaded] of [
  ["queue-scorer", { queue: 0 }, { queue: 9 }],
  ["running-requests-size-scorer", { running: 0 }, { running: 9 }],
  ["kv-cache-utilization-scorer", { kv: 0 }, { kv: 0.9 }],
  ["load-aware-scorer", { queue: 0 }, { queue: 128 }],
] as const) {
  test(`trap 6: to ${scorer} an endpoint that was never scraped is not idle`, () => {
    const { e0, e1, e2 } = totalsOf(scoredPool([[scorer, 1]], [idle, {}, loaded]));
    assert.ok(Number(e0) > Number(e1) && Number(e1) > Number(e2), `${e0} ${e1} ${e2}`);
  });
}

/** Eight blocks of 64 bytes for each endpoint. */
const SMALL_CACHE: PluginUse = {
  plugin: "approx-prefix-cache-producer",
  parameters: { blockBytes: 64, maxPrefixBlocksToMatch: 64, lruCapacityPerServer: 8 },
};

test("trap 7: what eviction leaves of a prompt still matches from its start", () => {
  const pool = scoredPool([["prefix-cache-scorer", 1]], [{}], [SMALL_CACHE]);
  const scoreOf = (prompt: string): number | undefined => {
    const { decision } = decided(pool.core, requestWith({ prompt }));
    return pool.core.decisions.read(decision)?.profiles[0]?.candidates[0]?.scores[0]?.raw;
  };
  assert.equal(scoreOf("a".repeat(64 * 6)), 0);
  assert.equal(scoreOf("b".repeat(64 * 4)), 0);
  // Eight blocks fit: the four new ones drove out the last two of the first prompt.
  assert.equal(scoreOf("a".repeat(64 * 6)), 4 / 6);
});

test("trap 8: one model and nothing shared scores 0, and so does a prompt below a block", () => {
  const pool = scoredPool([["prefix-cache-scorer", 1]], [{}], [SMALL_CACHE]);
  for (const prompt of ["a".repeat(128), "b".repeat(128), "a".repeat(63), "a".repeat(63)]) {
    const { decision } = decided(pool.core, requestWith({ prompt }));
    assert.equal(pool.core.decisions.read(decision)?.profiles[0]?.candidates[0]?.total, 0);
  }
});

import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { KvBlockView } from "../../src/endpoints/block-index.ts";
import type { PluginDefinition } from "../../src/plugin/define-plugin.ts";
import { decodeFilter, prefillFilter } from "../../src/plugins/filter/role.ts";
import { maxScorePicker } from "../../src/plugins/picker/max-score.ts";
import { randomPicker } from "../../src/plugins/picker/random.ts";
import { kvCacheScorer } from "../../src/plugins/scorer/kv-cache.ts";
import { prefixCacheScorer } from "../../src/plugins/scorer/prefix-cache.ts";
import { queueScorer } from "../../src/plugins/scorer/queue.ts";
import type { EndpointTraits } from "../fixtures/endpoint-with.ts";
import { picksOf, rejectionsOf, scoresFor } from "../fixtures/plugin-bench.ts";
import { decided, poolWith } from "../fixtures/pool-core.ts";
import { requestWith } from "../fixtures/request-with.ts";

const ratio = fc.double({ min: 0, max: 1, noNaN: true });
const roles = ["prefill", "decode", "both", "encode", "prefill-decode", "", "other"];

/** Endpoints in any state: scraped or not, with any role or none. */
const endpoint: fc.Arbitrary<EndpointTraits> = fc.record(
  {
    queue: fc.oneof(
      fc.nat({ max: 5 }),
      fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
    ),
    kv: ratio,
    role: fc.constantFrom(...roles),
  },
  { requiredKeys: [] },
);
const endpoints = fc.array(endpoint, { maxLength: 40 });

/** What engines may report: a ratio or nothing, by slot. */
const reports: fc.Arbitrary<KvBlockView> = fc
  .array(fc.option(ratio, { nil: Number.NaN }), { maxLength: 40 })
  .map((ratios) => ({
    isReporting: (slot) => !Number.isNaN(ratios[slot] ?? Number.NaN),
    matchRatios: (_prompt, bySlot) => {
      for (let slot = 0; slot < bySlot.length; slot++) bySlot[slot] = ratios[slot] ?? Number.NaN;
    },
  }));

const match = fc
  .tuple(fc.nat({ max: 64 }), fc.array(ratio, { maxLength: 40 }))
  .map(([blockCount, shares]) => ({
    blockCount,
    blockBytes: 64,
    matchedBySlot: Int32Array.from(shares, (share) => Math.floor(share * blockCount)),
  }));

const scorers: readonly (readonly [PluginDefinition, unknown])[] = [
  [queueScorer, undefined],
  [prefixCacheScorer, undefined],
  [kvCacheScorer, { mode: "auto" }],
  [kvCacheScorer, { mode: "match" }],
  [kvCacheScorer, { mode: "utilization" }],
];
for (const [scorer, parameters] of scorers) {
  const name = `${scorer.type} ${JSON.stringify(parameters) ?? ""}`;
  test(`scheduling: every score of ${name} is finite and within 0..1`, () => {
    fc.assert(
      fc.property(endpoints, reports, match, (pool, kvBlocks, prefix) => {
        for (const score of scoresFor(scorer, pool, { parameters, kvBlocks, match: prefix })) {
          assert.ok(score >= 0 && score <= 1, `score ${score}`);
        }
      }),
    );
  });
}

for (const filter of [decodeFilter, prefillFilter]) {
  test(`scheduling: ${filter.type} drops only candidates, and judges each by itself`, () => {
    fc.assert(
      fc.property(endpoints, (pool) => {
        const rejections = rejectionsOf(filter, pool);
        for (const index of rejections.keys()) assert.ok(index >= 0 && index < pool.length);
        for (const [index, one] of pool.entries()) {
          assert.equal(rejections.has(index), rejectionsOf(filter, [one]).size === 1);
        }
      }),
    );
  });
}

const totals = fc.array(fc.double({ noNaN: true }), {
  minLength: 1,
  maxLength: 40,
});
for (const picker of [maxScorePicker, randomPicker]) {
  test(`scheduling: ${picker.type} orders every candidate once`, () => {
    fc.assert(
      fc.property(totals, fc.integer(), fc.integer(), (scores, seed, maxNumOfEndpoints) => {
        const [pick] = picksOf(picker, scores, { seed, parameters: { maxNumOfEndpoints } });
        assert.deepEqual(
          [...(pick?.order ?? [])].sort((a, b) => a - b),
          [...scores.keys()],
        );
        const advertised = pick?.advertised ?? 0;
        assert.ok(advertised >= 1 && advertised <= scores.length);
      }),
    );
  });
}

test("scheduling: max-score-picker never ranks a lower total before a higher one", () => {
  fc.assert(
    fc.property(totals, fc.integer(), (scores, seed) => {
      const order = picksOf(maxScorePicker, scores, { seed })[0]?.order ?? [];
      for (const [rank, index] of order.entries()) {
        const next = scores[order[rank + 1] ?? index] as number;
        assert.ok((scores[index] as number) >= next, `rank ${rank}`);
      }
    }),
  );
});

/** A pool with its endpoints named before they are put in any order. */
const namedPool = fc
  .array(fc.record({ queue: fc.nat({ max: 1000 }), kv: ratio }), { minLength: 1, maxLength: 20 })
  .map((pool) => pool.map((traits, index) => ({ id: `n${index}`, ...traits })));

test("scheduling: the choice does not depend on the candidates' order when totals differ", () => {
  const reordered = namedPool.chain((pool) =>
    fc.tuple(
      fc.constant(pool),
      fc.shuffledSubarray(pool, { minLength: pool.length }),
      fc.integer(),
    ),
  );
  fc.assert(
    fc.property(reordered, ([pool, other, seed]) => {
      const ranked = [pool, other].map((order) => {
        const { core } = poolWith({
          seed,
          endpoints: order,
          plugins: [
            "single-profile-handler",
            "queue-scorer",
            "kv-cache-scorer",
            "max-score-picker",
          ],
          profiles: { default: [["queue-scorer", 2], "kv-cache-scorer", "max-score-picker"] },
        });
        const names = decided(core, requestWith()).plan.primary.map(({ id }) => String(id));
        const fates = core.decisions.read(1)?.profiles[0]?.candidates ?? [];
        return { names, totals: new Set(fates.map(({ total }) => total)).size };
      });
      fc.pre(ranked[0]?.totals === pool.length);
      assert.deepEqual(ranked[0]?.names, ranked[1]?.names);
    }),
  );
});

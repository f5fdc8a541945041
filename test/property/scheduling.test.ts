import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { KvBlockView } from "../../src/endpoints/block-index.ts";
import {
  inFlightRequests,
  inFlightTokens,
  type NumericAttribute,
} from "../../src/endpoints/numeric-attribute.ts";
import type { Role } from "../../src/plugin/plugin-instance.ts";
import { builtinPlugins } from "../../src/plugins/builtin-plugins.ts";
import { maxScorePicker } from "../../src/plugins/picker/max-score.ts";
import type { EndpointTraits } from "../fixtures/endpoint-with.ts";
import {
  type BenchOptions,
  benchFor,
  picksOf,
  rejectionsOn,
  scoresOn,
} from "../fixtures/plugin-bench.ts";
import { decided, poolWith } from "../fixtures/pool-core.ts";
import { requestWith } from "../fixtures/request-with.ts";

const threshold = (value: number) => ({
  type: "threshold",
  threshold: { operator: "LessThan", value },
});

/** Parameters to try besides none, by type; a type that is not here takes none or has defaults. */
const PARAMETERS: Readonly<Record<string, readonly unknown[]>> = {
  "kv-cache-scorer": [{ mode: "auto" }, { mode: "match" }, { mode: "utilization" }],
  "prefix-cache-scorer": [{}, { matchLengthWeight: 0.5, matchLengthScaleTokens: 100 }],
  "load-aware-scorer": [{}, { threshold: 1 }],
  "active-request-scorer": [{}, { idleThreshold: 2, maxBusyScore: 0.5 }],
  "token-load-scorer": [{}, { queueThresholdTokens: 1 }],
  "session-affinity-scorer": [{}, { strategy: "session_id" }],
  "endpoint-attribute-scorer": [
    { attributeKey: "kvCacheUsage", algorithm: { type: "linear_higher_is_better" } },
    {
      attributeKey: "waitingQueueDepth",
      algorithm: {
        type: "linear_lower_is_better",
        normalization: { fixedRange: { min: -3, max: 2 } },
      },
    },
  ],
  "header-label-affinity-scorer": [{ headerName: "x-zone", labelKey: "zone" }],
  "context-length-aware": [{ label: "range" }, { label: "range", enableFiltering: true }],
  "by-label": [{ label: "zone", validValues: ["a"] }],
  "label-selector-filter": [
    { matchExpressions: [{ key: "zone", operator: "NotIn", values: ["a"] }] },
  ],
  "by-label-selector": [{ matchLabels: { zone: "a" } }],
  "prefix-cache-affinity-filter": [{}, { explorationProbability: 0.5 }, { maxTTFTPenaltyMs: 0 }],
  "utilization-filter": [{ conditions: [{ metric: "kv-cache-utilization", maxValue: 0.5 }] }],
  "active-request-filter": [{ maxRequests: 1 }, { maxRequests: 1, fallbackOnEmpty: true }],
  "endpoint-attribute-filter": [
    { attribute: "waitingQueueDepth", onMissing: "Fail", algorithm: threshold(3) },
  ],
  "session-affinity-filter": [{}, { strategy: "session_id" }],
};

/** Filters that look at each candidate alone; the others compare candidates or may keep all. */
const JUDGING_ALONE: readonly string[] = [
  "prefill-filter",
  "decode-filter",
  "encode-filter",
  "by-label",
  "label-selector-filter",
  "by-label-selector",
  "utilization-filter",
  "endpoint-attribute-filter",
  "context-length-aware",
];

const withRole = (role: Role) => builtinPlugins.filter(({ roles }) => roles.includes(role));
const parametersOf = (type: string): readonly unknown[] => PARAMETERS[type] ?? [undefined];

const ratio = fc.double({ min: 0, max: 1, noNaN: true });
const roles = ["prefill", "decode", "both", "encode", "prefill-decode", "", "other"];
const adapters = fc.array(fc.constantFrom("m", "other", "third"), { maxLength: 3 });

/** Endpoints in any state: scraped or not, with any labels or none. */
const endpoint: fc.Arbitrary<EndpointTraits> = fc.record(
  {
    queue: fc.oneof(
      fc.nat({ max: 5 }),
      fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
    ),
    running: fc.nat(),
    kv: ratio,
    role: fc.constantFrom(...roles),
    labels: fc.record(
      {
        zone: fc.constantFrom("a", "b", ""),
        range: fc.constantFrom("0-100", "2-2", "1-1", "900-8000", "x", "9-1"),
      },
      { requiredKeys: [] },
    ),
    lora: fc.record({
      adaptersMax: fc.nat({ max: 4 }),
      running: adapters.map((names) => new Set(names)),
      waiting: adapters.map((names) => new Set(names)),
    }),
  },
  { requiredKeys: [] },
);
const endpoints = fc.array(endpoint, { maxLength: 40 });

/** Requests in flight and their tokens, by slot; NaN is unknown. */
const loads = fc.array(
  fc.tuple(fc.oneof(fc.nat({ max: 4 }), fc.constant(Number.NaN)), fc.nat({ max: 50_000 })),
  { maxLength: 40 },
);

/** What engines may report: a ratio or nothing, by slot. */
const reports: fc.Arbitrary<KvBlockView> = fc
  .array(fc.option(ratio, { nil: Number.NaN }), { maxLength: 40 })
  .map((ratios) => ({
    isReporting: (slot) => !Number.isNaN(ratios[slot] ?? Number.NaN),
    matchRatios: (_view, bySlot) => {
      for (let slot = 0; slot < bySlot.length; slot++) bySlot[slot] = ratios[slot] ?? Number.NaN;
    },
    matchedBytes: (view, bySlot) => {
      const { sizeBytes } = view.tokens ?? view.prompt;
      for (let slot = 0; slot < bySlot.length; slot++) {
        bySlot[slot] = (ratios[slot] ?? Number.NaN) * sizeBytes;
      }
    },
    credit: () => undefined,
  }));

const match = fc
  .tuple(fc.nat({ max: 64 }), fc.array(ratio, { maxLength: 40 }))
  .map(([blockCount, shares]) => ({
    blockCount,
    blockBytes: 64,
    matchedBySlot: Int32Array.from(shares, (share) => Math.floor(share * blockCount)),
  }));

/** One cycle over endpoints in any state, with a session of one of them. */
const situation = fc
  .record({
    pool: endpoints,
    kvBlocks: reports,
    match,
    loads,
    seed: fc.integer(),
    bound: fc.nat(40),
  })
  .map(({ pool, bound, ...rest }) => ({
    pool,
    ...rest,
    request: requestWith({
      headers: {
        "x-session-token": Buffer.from(`e${bound}`).toString("base64"),
        "x-session-id": "s",
        "x-zone": "a",
      },
    }),
  }));
type Situation = typeof situation extends fc.Arbitrary<infer Value> ? Value : never;

function benchIn(
  definition: (typeof builtinPlugins)[number],
  { pool, loads: inFlight, ...facts }: Situation,
  parameters: unknown,
) {
  const options: BenchOptions = { ...facts, parameters };
  const bench = benchFor(definition, pool, options);
  const fill = (attribute: NumericAttribute, values: readonly number[]) =>
    bench.store.column(attribute).set(values.slice(0, pool.length));
  fill(
    inFlightRequests,
    inFlight.map(([count]) => count),
  );
  fill(
    inFlightTokens,
    inFlight.map(([, tokens]) => tokens),
  );
  return bench;
}

for (const scorer of withRole("score")) {
  for (const parameters of parametersOf(scorer.type)) {
    const name = `${scorer.type} ${JSON.stringify(parameters) ?? ""}`;
    test(`scheduling: every score of ${name} is finite and within 0..1`, () => {
      fc.assert(
        fc.property(situation, (facts) => {
          for (const score of scoresOn(benchIn(scorer, facts, parameters))) {
            assert.ok(score >= 0 && score <= 1, `score ${score}`);
          }
        }),
      );
    });
  }
}

for (const filter of withRole("filter")) {
  for (const parameters of parametersOf(filter.type)) {
    const name = `${filter.type} ${JSON.stringify(parameters) ?? ""}`;
    test(`scheduling: ${name} drops only candidates, each once`, () => {
      fc.assert(
        fc.property(situation, (facts) => {
          const { instance, cycle, candidates } = benchIn(filter, facts, parameters);
          const dropped: number[] = [];
          instance.filter?.(cycle, candidates, (index) => void dropped.push(index));
          assert.equal(new Set(dropped).size, dropped.length);
          for (const index of dropped) assert.ok(index >= 0 && index < facts.pool.length);
        }),
      );
    });
    if (!JUDGING_ALONE.includes(filter.type)) continue;
    test(`scheduling: ${name} judges each candidate by itself`, () => {
      fc.assert(
        fc.property(situation, (facts) => {
          const rejections = rejectionsOn(benchIn(filter, { ...facts, loads: [] }, parameters));
          for (const [index, one] of facts.pool.entries()) {
            const alone = benchIn(filter, { ...facts, loads: [], pool: [one] }, parameters);
            assert.equal(rejections.has(index), rejectionsOn(alone).size === 1);
          }
        }),
        { numRuns: 25 },
      );
    });
  }
}

const totals = fc.array(fc.double({ noNaN: true }), {
  minLength: 1,
  maxLength: 40,
});
for (const picker of withRole("pick")) {
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

import assert from "node:assert/strict";
import test from "node:test";
import { decided, poolWith, served, steeringFilter } from "../../test/fixtures/pool-core.ts";
import { type RequestTraits, requestWith } from "../../test/fixtures/request-with.ts";
import { estimatingTokenizer } from "../core/tokenizer.ts";

const ENDPOINTS = [
  { queue: 0, kv: 0.1 },
  { queue: 2, kv: 0.5 },
  { queue: 4, kv: 0.2 },
  { queue: 10, kv: 0.9 },
];

/** The aggregated configuration of the field, with blocks of four bytes to keep prompts short. */
function weightedPool(options: { seed?: number } = {}) {
  const parameters = { blockBytes: 4, maxPrefixBlocksToMatch: 256, lruCapacityPerServer: 39_744 };
  return poolWith({
    ...options,
    endpoints: ENDPOINTS,
    plugins: [
      "single-profile-handler",
      { plugin: "approx-prefix-cache-producer", parameters },
      steeringFilter,
      "prefix-cache-scorer",
      "queue-scorer",
      "kv-cache-scorer",
      "max-score-picker",
    ],
    profiles: {
      default: [
        "steering-filter",
        ["prefix-cache-scorer", 2],
        ["queue-scorer", 1],
        ["kv-cache-scorer", 1],
        "max-score-picker",
      ],
    },
  }).core;
}

const sentTo = (endpoint: string, traits: RequestTraits): RequestTraits => ({
  ...traits,
  headers: { "x-test-endpoint": endpoint },
});
const PROMPT = "aaaabbbbccccdddd";

const cases: readonly {
  name: string;
  earlier?: RequestTraits;
  prefix: readonly number[];
  totals: readonly number[];
  winner: string;
}[] = [
  {
    name: "nothing cached anywhere",
    prefix: [0, 0, 0, 0],
    totals: [1.9, 1.3, 1.4, 0.1],
    winner: "e0",
  },
  {
    name: "three of four blocks on the second",
    earlier: sentTo("e1", { prompt: "aaaabbbbccccxxxx" }),
    prefix: [0, 0.75, 0, 0],
    totals: [1.9, 2.8, 1.4, 0.1],
    winner: "e1",
  },
  {
    name: "everything on the most loaded one",
    earlier: sentTo("e3", { prompt: PROMPT }),
    prefix: [0, 0, 0, 1],
    totals: [1.9, 1.3, 1.4, 2.1],
    winner: "e3",
  },
];
for (const { name, earlier, prefix, totals, winner } of cases) {
  test(`weighted-scores: ${name}`, () => {
    const core = weightedPool();
    if (earlier !== undefined) served(core, requestWith(earlier));
    assert.equal(served(core, requestWith({ prompt: PROMPT })), winner);
    const [decision] = core.decisions.latest(1);
    const candidates = decision?.profiles[0]?.candidates ?? [];
    assert.deepEqual(
      candidates.map(({ scores }) => scores[0]?.raw),
      prefix,
    );
    assert.deepEqual(
      candidates.map(({ scores }) => scores[1]?.raw),
      [1, 0.8, 0.6, 0],
    );
    // Sums of decimal fractions are compared at twelve digits.
    assert.deepEqual(
      candidates.map(({ total }) => total?.toFixed(12)),
      totals.map((total) => total.toFixed(12)),
    );
    assert.equal(decision?.profiles[0]?.picked, winner);
  });
}

test("weighted-scores: a burst of equal prompts stays together", () => {
  // Credit counts at once: without it the queue correction would send each to another endpoint.
  const core = weightedPool();
  const first = decided(core, requestWith({ prompt: PROMPT })).plan.primary[0]?.id;
  for (let i = 0; i < 5; i++) {
    assert.equal(decided(core, requestWith({ prompt: PROMPT })).plan.primary[0]?.id, first);
  }
});

test("weighted-scores: a burst of different prompts spreads by what was just sent", () => {
  const core = poolWith({
    endpoints: [{ queue: 0 }, { queue: 0 }, { queue: 0 }],
    plugins: ["single-profile-handler", "queue-scorer", "max-score-picker"],
    profiles: { default: ["queue-scorer", "max-score-picker"] },
  }).core;
  const seen = [1, 2, 3].map((at) => decided(core, requestWith(), at).plan.primary[0]?.id);
  assert.equal(new Set(seen).size, 3);
});

test("weighted-scores: a decision shows corrected and scraped figures side by side", () => {
  const { core } = poolWith({
    endpoints: [{ queue: 3, kv: 0.5, kvBlocks: 100, kvBlockTokens: 10 }],
  });
  decided(core, requestWith({ prompt: "a".repeat(400) }), 40);
  decided(core, requestWith(), 50);
  assert.deepEqual(core.decisions.read(2)?.profiles[0]?.candidates[0]?.metrics, {
    ageMs: 50,
    waitingQueueDepth: 4,
    scrapedWaitingQueueDepth: 3,
    kvCacheUsage: 0.6,
    scrapedKvCacheUsage: 0.5,
    runningRequests: null,
    inFlightRequests: 1,
  });
});

test("weighted-scores: engines' own KV events decide once every candidate reports", () => {
  const core = poolWith({
    endpoints: [{ kv: 0.9 }, { kv: 0.1 }],
    plugins: ["single-profile-handler", "kv-cache-scorer", "max-score-picker"],
    profiles: { default: ["kv-cache-scorer", "max-score-picker"] },
  }).core;
  const tokenIds = estimatingTokenizer.tokenize(new TextEncoder().encode("aaaabbbb"));
  const held = {
    kind: "stored",
    blockHashes: [1, 2],
    parentHash: undefined,
    tokenIds,
    blockTokens: 1,
  } as const;
  core.kvEvents(0, [held], 1);
  assert.equal(served(core, requestWith({ prompt: "aaaabbbb" })), "e1");
  core.kvEvents(1, [{ kind: "cleared" }], 2);
  assert.equal(served(core, requestWith({ prompt: "aaaabbbb" })), "e0");
  // An ejected engine may come back without its cache, so what it reported is void.
  core.health(0, false, 3);
  core.health(0, true, 4);
  assert.equal(served(core, requestWith({ prompt: "aaaabbbb" })), "e1");
});

test("weighted-scores: the same seed and inputs decide alike, another seed breaks ties otherwise", () => {
  const run = (seed: number): readonly string[] => {
    const core = poolWith({ seed, endpoints: [{}, {}, {}, {}] }).core;
    return Array.from({ length: 40 }, () => served(core, requestWith()));
  };
  assert.deepEqual(run(5), run(5));
  assert.notDeepEqual(run(5), run(6));
});

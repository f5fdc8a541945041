import assert from "node:assert/strict";
import test from "node:test";
import type { EndpointTraits } from "../../../test/fixtures/endpoint-with.ts";
import { scoresFor } from "../../../test/fixtures/plugin-bench.ts";
import { poolWith, served } from "../../../test/fixtures/pool-core.ts";
import { requestWith } from "../../../test/fixtures/request-with.ts";
import { ConfigError } from "../../core/config-error.ts";
import { estimatingTokenizer } from "../../core/tokenizer.ts";
import type { PoolRouterCore } from "../../director/pool-router-core.ts";
import type { KvBlockView } from "../../endpoints/block-index.ts";
import { kvCacheScorer, kvCacheUtilizationScorer } from "./kv-cache.ts";

/** Ratios by slot as the KV-event index would give them; NaN reports nothing. */
function reporting(...ratios: number[]): KvBlockView {
  return {
    isReporting: (slot) => !Number.isNaN(ratios[slot] ?? Number.NaN),
    matchRatios: (_view, bySlot) => {
      for (let slot = 0; slot < bySlot.length; slot++) bySlot[slot] = ratios[slot] ?? Number.NaN;
    },
    matchedBytes: () => assert.fail("the scorer asks for shares"),
    credit: () => undefined,
  };
}

const { NaN: silent } = Number;
const USED: readonly EndpointTraits[] = [{ kv: 0.75 }, { kv: 0.5 }, { kv: 0 }];

const cases: readonly {
  name: string;
  mode?: string;
  endpoints?: readonly EndpointTraits[];
  ratios?: readonly number[];
  want: readonly number[];
}[] = [
  { name: "auto: nobody reports, free cache counts", want: [0.25, 0.5, 1] },
  { name: "auto: everybody reports, held blocks count", ratios: [0.5, 0, 1], want: [0.5, 0, 1] },
  {
    name: "auto: one candidate that reports nothing makes all fall back",
    ratios: [0.5, silent, 1],
    want: [0.25, 0.5, 1],
  },
  { name: "auto: nobody is left", endpoints: [], want: [] },
  {
    name: "auto: what was never scraped is half",
    endpoints: [{ kv: 0.75 }, {}],
    want: [0.25, 0.5],
  },
  { name: "auto: a single candidate", endpoints: [{ kv: 0.75 }], want: [0.25] },
  { name: "auto: equal usage is equal", endpoints: [{ kv: 0.5 }, { kv: 0.5 }], want: [0.5, 0.5] },
  { name: "auto: a full cache is 0", endpoints: [{ kv: 1 }, { kv: 0 }], want: [0, 1] },
  {
    name: "match: one that reports nothing is half, whatever its usage",
    mode: "match",
    ratios: [0.25, silent, 1],
    want: [0.25, 0.5, 1],
  },
  { name: "match: nobody reports", mode: "match", want: [0.5, 0.5, 0.5] },
  {
    name: "utilization: reported blocks do not matter",
    mode: "utilization",
    ratios: [1, 1, 0],
    want: [0.25, 0.5, 1],
  },
];
for (const { name, mode, endpoints = USED, ratios = [], want } of cases) {
  test(`kv-cache-scorer: ${name}`, () => {
    const parameters = mode === undefined ? undefined : { mode };
    const kvBlocks = reporting(...ratios);
    assert.deepEqual(scoresFor(kvCacheScorer, endpoints, { parameters, kvBlocks }), want);
  });
}

/** Endpoints that `count` equal prompts were sent to. */
function burst(core: PoolRouterCore, count: number, prompt: string): ReadonlySet<string> {
  return new Set(Array.from({ length: count }, () => served(core, requestWith({ prompt }))));
}

function poolInMode(mode: string): PoolRouterCore {
  const plugins = ["single-profile-handler", { plugin: "kv-cache-scorer", parameters: { mode } }];
  return poolWith({
    plugins: [...plugins, "max-score-picker"],
    profiles: { default: ["kv-cache-scorer", "max-score-picker"] },
    endpoints: [{}, {}, {}, {}],
  }).core;
}

const LONG = "shared system prompt ".repeat(20);

test("kv-cache-scorer: match: a burst of equal prompts stays together before any report", () => {
  assert.equal(burst(poolInMode("match"), 200, LONG).size, 1);
});

test("kv-cache-scorer: auto: a burst stays together where engines report and hold nothing", () => {
  const core = poolInMode("auto");
  for (let slot = 0; slot < 4; slot++) core.kvEvents(slot, [{ kind: "cleared" }], 0);
  assert.equal(burst(core, 200, LONG).size, 1);
});

test("kv-cache-scorer: what an engine says of a block ends the credit for it", () => {
  const core = poolInMode("match");
  for (let slot = 0; slot < 4; slot++) core.kvEvents(slot, [{ kind: "cleared" }], 0);
  const [first] = burst(core, 1, LONG);
  const slot = Number(first?.slice(1));
  // It evicts the prompt at once, and another endpoint reports it.
  core.kvEvents(slot, [{ kind: "cleared" }], 1);
  const other = (slot + 1) % 4;
  const tokenIds = estimatingTokenizer.tokenize(new TextEncoder().encode(LONG)).slice(0, 16);
  const stored = {
    kind: "stored",
    parentHash: undefined,
    blockHashes: [1],
    blockTokens: 16,
  } as const;
  core.kvEvents(other, [{ ...stored, tokenIds }], 1);
  assert.deepEqual([...burst(core, 3, LONG)], [`e${other}`]);
});

test("kv-cache-scorer: an unknown mode lists the known ones", () => {
  assert.throws(
    () => kvCacheScorer.configure({ mode: "best" }),
    (error) =>
      error instanceof ConfigError && error.faults[0]?.allowed?.join() === "auto,match,utilization",
  );
});

const unscraped: EndpointTraits = {};
for (const [name, endpoints, want] of [
  ["free cache counts", [{ kv: 0.8 }, { kv: 0.5 }, { kv: 0 }], [0.2, 0.5, 1]],
  ["equal usage is equal", [{ kv: 0.6 }, { kv: 0.6 }], [0.4, 0.4]],
  ["a full cache is 0", [{ kv: 1 }, { kv: 0.5 }], [0, 0.5]],
  ["a single one is not scaled", [{ kv: 0.75 }], [0.25]],
  ["unknown usage is half", [{ kv: 0.75 }, unscraped], [0.25, 0.5]],
  ["nobody", [], []],
] as const) {
  test(`kv-cache-utilization-scorer: ${name}, whatever blocks are reported`, () => {
    const scores = scoresFor(kvCacheUtilizationScorer, endpoints, { kvBlocks: reporting(0, 1, 1) });
    for (const [index, score] of scores.entries()) {
      assert.ok(Math.abs(score - (want[index] ?? Number.NaN)) < 1e-12, scores.join());
    }
    assert.equal(scores.length, want.length);
  });
}

import assert from "node:assert/strict";
import test from "node:test";
import { parameterFaults } from "../../../test/fixtures/plugin-bench.ts";
import { decided, type PluginUse, poolWith, served } from "../../../test/fixtures/pool-core.ts";
import { requestWith } from "../../../test/fixtures/request-with.ts";
import type { KvEvent } from "../../core/kv-event.ts";
import { estimatingTokenizer } from "../../core/tokenizer.ts";
import type { PoolRouterCore } from "../../director/pool-router-core.ts";
import type { InferenceRequest, PromptTokens } from "../../request/inference-request.ts";
import { precisePrefixCacheProducer, precisePrefixCacheScorer } from "./precise-prefix-cache.ts";

const PRODUCER = "precise-prefix-cache-producer";
const LONG = "a shared system prompt, ".repeat(32);
const BLOCK_COUNT = Math.floor(LONG.length / 64);
const cleared: KvEvent = { kind: "cleared" };

function stored(text: string, blockHashes: readonly number[], medium?: string): KvEvent {
  const tokenIds = estimatingTokenizer.tokenize(new TextEncoder().encode(text));
  const event = { kind: "stored", parentHash: undefined, blockHashes, tokenIds } as const;
  return { ...event, blockTokens: 16, ...(medium === undefined ? {} : { medium }) };
}

function poolBy(parameters: object, endpoints = 4): PoolRouterCore {
  const precise = { plugin: PRODUCER, parameters };
  return poolOf(["single-profile-handler", precise, "prefix-cache-scorer"], endpoints);
}

function poolOf(plugins: readonly PluginUse[], endpoints: number): PoolRouterCore {
  const scorer = plugins.at(-1);
  return poolWith({
    plugins: [...plugins, "max-score-picker"],
    profiles: { default: [typeof scorer === "string" ? scorer : "", "max-score-picker"] },
    endpoints: Array.from({ length: endpoints }, () => ({})),
  }).core;
}

const blocksOf = (count: number): readonly number[] =>
  Array.from({ length: count }, (_, block) => block + 1);

/** Scores of the endpoints and who said so, in the decision on the prompt. */
function judged(
  core: PoolRouterCore,
  request: InferenceRequest = requestWith({ prompt: LONG }),
  nowMs = 0,
): { readonly scores: readonly number[]; readonly source: string | null } {
  const { decision } = decided(core, request, nowMs);
  const record = core.decisions.read(decision);
  const [profile] = record?.profiles ?? [];
  const scores = (profile?.candidates ?? []).toSorted((a, b) => (a.endpoint < b.endpoint ? -1 : 1));
  return {
    scores: scores.map((candidate) => candidate.scores[0]?.raw ?? Number.NaN),
    source: record?.prefixSource ?? null,
  };
}

test("precise-prefix-cache-producer: what engines report counts, contiguous from the start", () => {
  const core = poolBy({ speculativeIndexing: false });
  const half = BLOCK_COUNT / 2;
  core.kvEvents(0, [stored(LONG, blocksOf(BLOCK_COUNT))], 0);
  core.kvEvents(1, [stored(LONG, blocksOf(half))], 0);
  core.kvEvents(2, [stored(LONG, blocksOf(BLOCK_COUNT)), { kind: "removed", blockHashes: [3] }], 0);
  core.kvEvents(3, [cleared], 0);
  const { scores, source } = judged(core);
  assert.deepEqual(scores, [1, 0.5, 2 / BLOCK_COUNT, 0]);
  assert.equal(source, "events");
});

test("precise-prefix-cache-producer: a removal shows in the next decision", () => {
  const core = poolBy({});
  core.kvEvents(0, [cleared], 0);
  core.kvEvents(1, [stored(LONG, blocksOf(BLOCK_COUNT))], 0);
  core.kvEvents(2, [cleared], 0);
  core.kvEvents(3, [cleared], 0);
  assert.equal(served(core, requestWith({ prompt: LONG })), "e1");
  core.kvEvents(1, [{ kind: "removed", blockHashes: blocksOf(BLOCK_COUNT) }], 1);
  core.kvEvents(2, [stored(LONG, [1])], 1);
  assert.equal(served(core, requestWith({ prompt: LONG }), 1), "e2");
});

test("precise-prefix-cache-producer: blocks off the GPU count 0.8", () => {
  const core = poolBy({ speculativeIndexing: false }, 2);
  const blocks = blocksOf(BLOCK_COUNT);
  core.kvEvents(0, [stored(LONG, blocks, "CPU")], 0);
  // The CPU copy comes without tokens; then the GPU's leaves.
  const offloaded = { ...stored("", blocks, "CPU"), tokenIds: new Uint32Array(0) } as KvEvent;
  core.kvEvents(1, [stored(LONG, blocks), offloaded], 0);
  assert.equal(judged(core).scores[1], 1);
  core.kvEvents(1, [{ kind: "removed", blockHashes: blocks, medium: "GPU" }], 0);
  const want = Math.floor(0.8 * BLOCK_COUNT + 1e-6) / BLOCK_COUNT;
  assert.deepEqual(judged(core).scores, [want, want]);
});

test("precise-prefix-cache-producer: where nobody reports its own account answers", () => {
  const core = poolBy({});
  assert.deepEqual(judged(core), { scores: [0, 0, 0, 0], source: "approximate" });
  const { scores, source } = judged(core);
  assert.deepEqual(scores.toSorted(), [0, 0, 0, 1]);
  assert.equal(source, "approximate");
});

for (const [name, parameters, isReporting] of [
  ["engines that report nothing", {}, false],
  ["engines that report", {}, true],
  ["llm-d's default where nothing is reported", { speculativeIndexing: false }, false],
] as const) {
  test(`precise-prefix-cache-producer: a burst of 200 equal prompts stays together: ${name}`, () => {
    const core = poolBy(parameters);
    for (let slot = 0; slot < 4 && isReporting; slot++) core.kvEvents(slot, [cleared], 0);
    const chosen = Array.from({ length: 200 }, () => served(core, requestWith({ prompt: LONG })));
    assert.equal(new Set(chosen).size, 1);
  });
}

test("precise-prefix-cache-producer: a credit ends with its time unless the engine confirms it", () => {
  const core = poolBy({ speculativeTTL: "3s" }, 2);
  core.kvEvents(0, [cleared], 0);
  core.kvEvents(1, [cleared], 0);
  const first = Number(served(core, requestWith({ prompt: LONG }), 0).slice(1));
  const request = (): InferenceRequest => requestWith({ prompt: LONG });
  assert.equal(judged(core, request(), 2999).scores[first], 1);
  // That decision credited it once more, from 2999 to 5999 ms.
  assert.equal(judged(core, request(), 5998).scores[first], 1);
  assert.deepEqual(judged(core, request(), 8998).scores, [0, 0]);
  core.kvEvents(first, [stored(LONG, blocksOf(BLOCK_COUNT))], 8999);
  assert.equal(judged(core, request(), 100_000).scores[first], 1);
});

test("precise-prefix-cache-producer: without speculative indexing nothing counts before its report", () => {
  const core = poolBy({ speculativeIndexing: false }, 2);
  core.kvEvents(0, [cleared], 0);
  core.kvEvents(1, [cleared], 0);
  served(core, requestWith({ prompt: LONG }));
  assert.deepEqual(judged(core).scores, [0, 0]);
});

/** The prompt's tokens as a tokenizer knows them: leading bytes of another text. */
function withTokens(request: InferenceRequest, knownBytes: number, text: string): InferenceRequest {
  const whole = requestWith({ prompt: text }).prompt;
  const tokens: PromptTokens = {
    sizeBytes: whole.sizeBytes,
    count: knownBytes / 4,
    isWhole: knownBytes === whole.sizeBytes,
    blocks: (blockBytes, max) =>
      whole.blocks(blockBytes, Math.min(max, Math.floor(knownBytes / blockBytes))),
  };
  return { ...request, tokens };
}

test("precise-prefix-cache-producer: a known beginning of the tokens gives its blocks", () => {
  const core = poolBy({ speculativeIndexing: false }, 2);
  const other = "quite other tokens than bytes ".repeat(32);
  const total = Math.floor(other.length / 64);
  core.kvEvents(0, [stored(other, blocksOf(total))], 0);
  core.kvEvents(1, [cleared], 0);
  const request = requestWith({ prompt: LONG });
  const { scores, source } = judged(core, withTokens(request, 4 * 64, other));
  assert.deepEqual(scores, [4 / total, 0]);
  assert.equal(source, "events");
});

test("precise-prefix-cache-producer: without tokens the router's own account answers", () => {
  const core = poolBy({}, 2);
  const other = "quite other tokens than bytes ".repeat(32);
  core.kvEvents(0, [cleared], 0);
  core.kvEvents(1, [cleared], 0);
  const unknown = (): InferenceRequest => withTokens(requestWith({ prompt: LONG }), 0, other);
  const first = judged(core, unknown());
  assert.deepEqual(first, { scores: [0, 0], source: "approximate" });
  const { scores } = judged(core, unknown());
  assert.ok(Math.max(...scores) > 0.7, scores.join());
  // The tokens are there at last, and the engine has not spoken yet: the burst still stays together.
  const known = judged(core, withTokens(requestWith({ prompt: LONG }), other.length, other));
  assert.equal(known.source, "events");
  assert.ok(
    Math.max(...known.scores) > 0.7 && Math.min(...known.scores) === 0,
    known.scores.join(),
  );
});

test("precise-prefix-cache-scorer: it keeps the account and scores by it", () => {
  const precise = "precise-prefix-cache-scorer";
  const core = poolOf(["single-profile-handler", precise], 2);
  core.kvEvents(0, [cleared], 0);
  core.kvEvents(1, [stored(LONG, blocksOf(BLOCK_COUNT))], 0);
  assert.deepEqual(judged(core).scores, [0, 1]);
});

const faults: readonly [parameters: object, path: string][] = [
  [{ speculativeTTL: "soon" }, "speculativeTTL"],
  [{ speculativeTTL: "0" }, "speculativeTTL"],
  [{ tokenProcessorConfig: { blockSizeTokens: 0 } }, "tokenProcessorConfig.blockSizeTokens"],
  [{ tokenProcessorConfig: { hashAlgorithm: "md5" } }, "tokenProcessorConfig.hashAlgorithm"],
  [{ tokenProcessorConfig: { seed: "1" } }, "tokenProcessorConfig.seed"],
  [{ kvEventsConfig: { engineType: "other" } }, "kvEventsConfig.engineType"],
  [{ blockSizeTokens: 16 }, "blockSizeTokens"],
];
for (const [parameters, path] of faults) {
  test(`precise-prefix-cache-producer: ${JSON.stringify(parameters)} is a fault`, () => {
    for (const type of [precisePrefixCacheProducer, precisePrefixCacheScorer]) {
      assert.deepEqual(
        parameterFaults(type, parameters).map((fault) => fault.path),
        [path],
      );
    }
  });
}

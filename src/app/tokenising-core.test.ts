import assert from "node:assert/strict";
import test from "node:test";
import { blockHasher } from "../../test/fixtures/block-hasher.ts";
import { eventually } from "../../test/fixtures/eventually.ts";
import { HttpEndpoint } from "../../test/fixtures/http-endpoint.ts";
import { testRegistry } from "../../test/fixtures/picker-configs.ts";
import { poolWith } from "../../test/fixtures/pool-core.ts";
import { configFrom, RecordedRun } from "../../test/fixtures/recorded-run.ts";
import { requestWith } from "../../test/fixtures/request-with.ts";
import type { KvEvent } from "../core/kv-event.ts";
import { noLog } from "../core/log.ts";
import { ownKeys } from "../request/block-hasher.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import { replay } from "../sim/replay/replay.ts";
import { blockKeysOf, PoolTokens } from "./pool-tokens.ts";
import { TokenisingCore } from "./tokenising-core.ts";

const PRECISE = `apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: precise-prefix-cache-producer
- type: prefix-cache-scorer
- type: max-score-picker
`;
const LONG = "tell me of the sea and of ships ".repeat(20);
/** What the engine makes of any prompt: 40 tokens that no estimate gives. */
const IDS = Uint32Array.from({ length: 40 }, (_, at) => 1000 + at);
const cleared: KvEvent = { kind: "cleared" };

function stored(tokenIds: Uint32Array, loraName?: string): KvEvent {
  const event = { kind: "stored", parentHash: undefined, blockHashes: [1, 2], tokenIds } as const;
  return { ...event, blockTokens: 16, ...(loraName === undefined ? {} : { loraName }) };
}

function tokenizing(): Promise<HttpEndpoint> {
  const body = JSON.stringify({ count: IDS.length, max_model_len: 99, tokens: [...IDS] });
  return HttpEndpoint.start(() => ({ status: 200, body }));
}

/** A recorded pool whose engines tokenize, behind the door that requests come by. */
function runWith(
  text: string,
  address: string,
  more: { isEstimating?: boolean } = {},
): { readonly run: RecordedRun; readonly core: TokenisingCore; readonly tokens: PoolTokens } {
  const run = new RecordedRun(text);
  run.addReady({ id: "e0", address });
  run.addReady({ id: "e1", address });
  const tokens = new PoolTokens({
    config: configFrom(text),
    modelName: "m",
    isEstimating: false,
    keys: ownKeys(blockHasher),
    table: run.core.endpoints,
    log: noLog,
    ...more,
  });
  return { run, core: new TokenisingCore(run.recording, run.core, () => tokens), tokens };
}

/** Where the request goes, and who said what endpoints hold. */
function sent(core: TokenisingCore, run: RecordedRun, request: InferenceRequest): string {
  const admission = core.arrive(request, ++run.nowMs);
  assert.equal(admission.kind, "decided");
  const decision = run.core.decisions.read(admission.decision ?? 0);
  return `${decision?.endpoint} by ${decision?.prefixSource}`;
}

const LONG_REQUEST = (): InferenceRequest => requestWith({ prompt: LONG });

test("tokenising-core: once the tokens are known the engines' reports decide, and a replay agrees", async () => {
  await using engine = await tokenizing();
  const { run, core, tokens } = runWith(PRECISE, engine.address);
  core.kvEvents(0, [cleared], 0);
  core.kvEvents(1, [stored(IDS)], 0);
  assert.match(sent(core, run, LONG_REQUEST()), /by approximate$/);
  await eventually(() => tokens.tokenizer?.pendingCount === 0);
  assert.equal(sent(core, run, requestWith({ prompt: `${LONG}!` })).endsWith("approximate"), true);
  await eventually(() => tokens.tokenizer?.pendingCount === 0);
  const other = requestWith({ prompt: LONG, cacheSalt: "tenant" });
  assert.match(sent(core, run, other), /by events$/);
  run.nowMs += 10_000;
  assert.equal(sent(core, run, LONG_REQUEST()), "e1 by events");
  core.kvEvents(1, [{ kind: "removed", blockHashes: [1] }], run.nowMs);
  core.kvEvents(0, [stored(IDS)], run.nowMs);
  run.nowMs += 10_000;
  assert.equal(sent(core, run, LONG_REQUEST()), "e0 by events");
  await tokens.close();
  const lines = run.lines();
  assert.equal(lines.join("\n").includes("1000,1001"), false);
  const { pools } = await replay(
    { file: "run.jsonl", lines },
    { registry: testRegistry, others: () => new Map() },
  );
  assert.equal(pools[0]?.requests, 5);
});

test("tokenising-core: nobody is asked for tokens while no engine reports", async () => {
  await using engine = await tokenizing();
  const { run, core, tokens } = runWith(PRECISE, engine.address);
  sent(core, run, LONG_REQUEST());
  assert.equal(tokens.tokenizer?.pendingCount, 0);
  const counting = PRECISE.replace(
    "plugins:",
    "plugins:\n- {type: token-producer, parameters: {vllm: {}}}",
  );
  const asked = runWith(counting, engine.address);
  sent(asked.core, asked.run, LONG_REQUEST());
  assert.equal(asked.tokens.tokenizer?.pendingCount, 1);
  await asked.tokens.close();
});

test("tokenising-core: an alias of the pool's model finds its blocks", () => {
  const { run, core } = runWith(PRECISE, "127.0.0.1:1", { isEstimating: true });
  const ids = new Uint32Array(new TextEncoder().encode(LONG).slice(0, 128).buffer);
  core.kvEvents(0, [cleared], 0);
  core.kvEvents(1, [stored(ids)], 0);
  assert.equal(sent(core, run, requestWith({ prompt: LONG, model: "alias" })), "e1 by events");
});

test("tokenising-core: an adapter's blocks are those of its name", () => {
  const { run, core } = runWith(PRECISE, "127.0.0.1:1", { isEstimating: true });
  const ids = new Uint32Array(new TextEncoder().encode(LONG).slice(0, 128).buffer);
  core.kvEvents(0, [stored(ids)], 0);
  core.kvEvents(1, [stored(ids, "sql")], 0);
  assert.equal(sent(core, run, requestWith({ prompt: LONG, model: "sql" })), "e1 by events");
  assert.equal(sent(core, run, requestWith({ prompt: LONG, model: "m" })), "e0 by events");
});

const KEYS: readonly [parameters: string, kind: string][] = [
  ["{}", "own"],
  ["{tokenProcessorConfig: {blockSizeTokens: 64}}", "own"],
  ['{tokenProcessorConfig: {hashSeed: "42"}}', "llm-d"],
  ["{tokenProcessorConfig: {hashAlgorithm: xxh64}}", "llm-d"],
];
for (const [parameters, kind] of KEYS) {
  test(`tokenising-core: ${parameters} keys blocks by the ${kind} chain, and they are found`, () => {
    const text = PRECISE.replace("cache-producer", `cache-producer\n  parameters: ${parameters}`);
    const config = configFrom(text);
    const keys = blockKeysOf(config, blockHasher);
    assert.equal(keys.kind, kind);
    const { core: inner } = poolWith({
      blueprint: config,
      hasher: keys.hasher,
      kvSeed: keys.seed,
      endpoints: [{ id: "e0" }, { id: "e1" }],
    });
    const tokens = new PoolTokens({
      config,
      modelName: "m",
      isEstimating: true,
      keys,
      table: inner.endpoints,
      log: noLog,
    });
    const core = new TokenisingCore(inner, inner, () => tokens);
    const ids = new Uint32Array(new TextEncoder().encode(LONG).slice(0, 128).buffer);
    core.kvEvents(0, [cleared], 0);
    core.kvEvents(1, [stored(ids)], 0);
    const { decision } = core.arrive(LONG_REQUEST(), 1);
    const [profile] = inner.decisions.read(decision ?? 0)?.profiles ?? [];
    const winner = profile?.candidates.find(({ endpoint }) => endpoint === "e1");
    // 32 of the prompt's tokens are held; blocks of 64 tokens hold none of them.
    const want = parameters.includes("64") && kind === "own" ? 0 : 2 / Math.floor(LONG.length / 64);
    assert.equal(winner?.scores[0]?.raw, want);
  });
}

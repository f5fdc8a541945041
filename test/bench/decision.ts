// Times whole decisions, their parts and the prefix index alone with every LRU full:
//   node --expose-gc test/bench/decision.ts [--short] [decisions] [endpoints…]
import process from "node:process";
import { invariant } from "../../src/core/invariant.ts";
import { noLog } from "../../src/core/log.ts";
import type { Meter } from "../../src/core/meter.ts";
import { SeededRng } from "../../src/core/rng.ts";
import { RadixBlockIndex } from "../../src/endpoints/radix-block-index.ts";
import type { InferenceRequest } from "../../src/request/inference-request.ts";
import { BytesPrompt } from "../../src/request/prompt.ts";
import { blockHasher } from "../fixtures/block-hasher.ts";
import { completed, poolWith, type TestPool } from "../fixtures/pool-core.ts";
import { requestWith } from "../fixtures/request-with.ts";
import {
  BLOCK_BYTES,
  BLOCKS_PER_ENDPOINT,
  CACHE_AWARE,
  PROMPT_BLOCKS,
} from "./cache-aware-pool.ts";
import { atMost, type BenchRun, type Budget, type Measure, runProgram } from "./measure.ts";
import { PartTimes } from "./part-times.ts";

const GROUP_BLOCKS = 128;
const GROUPS = 64;
const POOL_PROMPTS = 1000;
const INDEX_MIB_MAX = 450;
// One object for each use would be more.
const GARBAGE_BYTES_MAX = 16;

const rng = new SeededRng(1);
const groups = Array.from({ length: GROUPS }, () => randomBytes(GROUP_BLOCKS * BLOCK_BYTES));
const tail = randomBytes((PROMPT_BLOCKS - GROUP_BLOCKS) * BLOCK_BYTES);
const pool = Array.from({ length: POOL_PROMPTS }, groupedPrompt);
const ordinary = requestWith();

if (import.meta.main) await runProgram(measureDecisions);

/** Whole decisions, the index alone, the hash alone, and the index's memory. */
export function measureDecisions({ isShort, numbers }: BenchRun): readonly Measure[] {
  const [decisions = isShort ? 4000 : 40_000, ...sizes] = numbers;
  const measures: Measure[] = [];
  for (const endpoints of sizes.length > 0 ? sizes : [8, 100, 1000]) {
    measures.push(...measurePool(endpoints, decisions), ...measureIndex(endpoints, decisions));
  }
  measures.push(measureHash(decisions));
  measures.push(measureDistinct(1000, PROMPT_BLOCKS), measureDistinct(100, 6));
  return measures;
}

/** 70 % of the prompts come from a pool, the others are new behind the prefix of one of 64 groups. */
function nextPrompt(): Uint8Array {
  return rng.next() < 0.7 ? (pool[rng.below(POOL_PROMPTS)] as Uint8Array) : groupedPrompt();
}

function groupedPrompt(): Uint8Array {
  const bytes = new Uint8Array(PROMPT_BLOCKS * BLOCK_BYTES);
  bytes.set(groups[rng.below(GROUPS)] as Uint8Array);
  bytes.set(tail, GROUP_BLOCKS * BLOCK_BYTES);
  // Chained hashes differ in every block behind this one.
  new DataView(bytes.buffer).setFloat64(GROUP_BLOCKS * BLOCK_BYTES, rng.next());
  return bytes;
}

function randomBytes(count: number): Uint8Array {
  return Uint8Array.from({ length: count }, () => rng.below(256));
}

/** Nothing of it is hashed yet. */
function freshRequest(): InferenceRequest {
  const options = { hasher: blockHasher, model: "m", cacheSalt: undefined };
  return { ...ordinary, prompt: new BytesPrompt(nextPrompt(), options) };
}

function measurePool(endpoints: number, decisions: number): Measure[] {
  const parts = new PartTimes();
  const tested = filledPool(endpoints, parts);
  const { core } = tested;
  const timesUs = new Float64Array(decisions);
  for (let i = -decisions / 4; i < decisions; i++) {
    const request = freshRequest();
    const startMs = performance.now();
    const admission = core.arrive(request, i);
    const elapsedMs = performance.now() - startMs;
    if (i >= 0) timesUs[i] = 1000 * elapsedMs;
    else parts.clear();
    invariant(admission.kind === "decided", "every request finds an endpoint");
    core.end(admission.decision, "completed", completed, i);
  }
  const budget = atMost(endpoints > 100 ? 12 : 6);
  const mean = meanOf(`decision, ${endpoints} endpoints, mean`, timesUs, budget);
  parts.print(timesUs);
  const p50 = quantile(timesUs, 0.5);
  const indexBytes = core.graph.indexes()[0]?.sizeBytes ?? 0;
  return [
    mean,
    { name: `decision, ${endpoints} endpoints, p50`, value: p50, unit: "us" },
    indexSize(`index of decisions, ${endpoints} endpoints`, endpoints, indexBytes),
  ];
}

/** A pool whose endpoints were sent prompts until no index had room. */
function filledPool(endpoints: number, meter: Meter): TestPool {
  const tested = poolWith({
    meter,
    stopwatch: { nowMs: () => performance.now() },
    log: noLog,
    decisionCapacity: 4096,
    decisionBytesMax: 64 << 20,
    endpoints: Array.from({ length: endpoints }, () => ({ queue: rng.below(20), kv: rng.next() })),
    ...CACHE_AWARE,
  });
  const full = 0.99 * BLOCKS_PER_ENDPOINT * endpoints;
  while ((tested.core.graph.indexes()[0]?.blockCount ?? full) < full) {
    for (let slot = 0; slot < endpoints; slot++) tested.core.credit(freshRequest(), slot, 0);
  }
  return tested;
}

/** Match and record of chains that are hashed beforehand, at the best of eight endpoints. */
function measureIndex(endpoints: number, decisions: number): Measure[] {
  const index = new RadixBlockIndex(BLOCKS_PER_ENDPOINT);
  const matchedBySlot = new Int32Array(endpoints);
  const isFull = (): boolean =>
    matchedBySlot.every((_, slot) => index.blockCount(slot) > 0.98 * BLOCKS_PER_ENDPOINT);
  while (!isFull()) {
    for (let slot = 0; slot < endpoints; slot++) index.record(nextChain(), PROMPT_BLOCKS, slot);
  }
  const matchUs = new Float64Array(decisions);
  const recordUs = new Float64Array(decisions);
  for (let i = -decisions / 4; i < decisions; i++) {
    const chain = nextChain();
    const startMs = performance.now();
    index.match(chain, PROMPT_BLOCKS, matchedBySlot);
    const matchedMs = performance.now();
    const slot = bestOfEight(matchedBySlot);
    const chosenMs = performance.now();
    index.record(chain, PROMPT_BLOCKS, slot);
    const recordedMs = performance.now();
    if (i < 0) continue;
    matchUs[i] = 1000 * (matchedMs - startMs);
    recordUs[i] = 1000 * (recordedMs - chosenMs);
  }
  return [
    meanOf(`index match, ${endpoints} endpoints, mean`, matchUs),
    meanOf(`index record, ${endpoints} endpoints, mean`, recordUs),
    garbage(`garbage of match and record, ${endpoints} endpoints`, index, matchedBySlot),
  ];
}

/** Slots are drawn beforehand, because random numbers are garbage themselves. */
function garbage(name: string, index: RadixBlockIndex, matchedBySlot: Int32Array): Measure {
  const uses = Array.from({ length: 10_000 }, nextChain);
  const slots = Int32Array.from(uses, () => rng.below(matchedBySlot.length));
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  for (let use = 0; use < uses.length; use++) {
    const chain = uses[use] as Uint32Array;
    index.match(chain, PROMPT_BLOCKS, matchedBySlot);
    index.record(chain, PROMPT_BLOCKS, slots[use] as number);
  }
  const value = (process.memoryUsage().heapUsed - before) / uses.length;
  return { name, value, unit: "bytes of heap", budget: atMost(GARBAGE_BYTES_MAX) };
}

/** Memory when no two endpoints hold the same block. */
function measureDistinct(endpoints: number, promptBlocks: number): Measure {
  const index = new RadixBlockIndex(BLOCKS_PER_ENDPOINT);
  const chain = new Uint32Array(2 * promptBlocks);
  const prompts = Math.ceil((1.2 * BLOCKS_PER_ENDPOINT) / promptBlocks);
  for (let i = 0; i < prompts * endpoints; i++) {
    for (let word = 0; word < chain.length; word++) chain[word] = rng.next() * 2 ** 32;
    index.record(chain, promptBlocks, i % endpoints);
  }
  const name = `index of distinct prompts of ${promptBlocks} blocks, ${endpoints} endpoints`;
  return indexSize(name, endpoints, index.sizeBytes);
}

function nextChain(): Uint32Array {
  const hashes = new Uint32Array(2 * PROMPT_BLOCKS);
  const bytes = nextPrompt();
  blockHasher.hash(bytes, 0, bytes.length, BLOCK_BYTES, { lo: 1, hi: 2 }, hashes);
  return hashes;
}

function bestOfEight(matchedBySlot: Int32Array): number {
  let best = rng.below(matchedBySlot.length);
  for (let draw = 1; draw < 8; draw++) {
    const slot = rng.below(matchedBySlot.length);
    if ((matchedBySlot[slot] as number) > (matchedBySlot[best] as number)) best = slot;
  }
  return best;
}

function measureHash(decisions: number): Measure {
  const timesUs = new Float64Array(decisions);
  for (let i = 0; i < decisions; i++) {
    const { prompt } = freshRequest();
    const startMs = performance.now();
    prompt.blocks(BLOCK_BYTES, PROMPT_BLOCKS);
    timesUs[i] = 1000 * (performance.now() - startMs);
  }
  return meanOf("hash of 256 blocks, mean", timesUs);
}

/** The mean as a figure; the tail is printed for the reader. */
function meanOf(name: string, timesUs: Float64Array, budget?: Budget): Measure {
  const tail = [0.5, 0.99, 0.999].map((share) => quantile(timesUs, share).toFixed(2));
  const value = timesUs.reduce((sum, us) => sum + us, 0) / timesUs.length;
  console.log(`${name} ${value.toFixed(2)} us, p50, p99 and p99.9: ${tail.join(", ")}`);
  return { name, value, unit: "us", ...(budget && { budget }) };
}

function quantile(timesUs: Float64Array, share: number): number {
  return timesUs.toSorted()[Math.floor(share * (timesUs.length - 1))] ?? Number.NaN;
}

function indexSize(name: string, endpoints: number, sizeBytes: number): Measure {
  const perBlock = sizeBytes / (endpoints * BLOCKS_PER_ENDPOINT);
  const rss = (process.memoryUsage().rss / 2 ** 20).toFixed(0);
  console.log(`${name}: ${perBlock.toFixed(1)} bytes a block, RSS ${rss} MiB`);
  return { name, value: sizeBytes / 2 ** 20, unit: "MiB", budget: atMost(INDEX_MIB_MAX) };
}

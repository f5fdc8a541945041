import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import process from "node:process";
import test from "node:test";
import {
  type IndexShape,
  indexBuffer,
  indexShape,
} from "../../src/endpoints/block-index-memory.ts";
import { RadixBlockIndex } from "../../src/endpoints/radix-block-index.ts";
import {
  promptOf,
  runShared,
  type SharedOutcome,
  type SharedRun,
  slotFor,
  wordsOf,
} from "../fixtures/shared-index-run.ts";

/** SWITCHYARD_INDEX_DECISIONS makes the runs longer, SWITCHYARD_INDEX_SEED repeats one. */
const DECISIONS = Number(process.env["SWITCHYARD_INDEX_DECISIONS"] ?? 20_000);
const SEED = Number(process.env["SWITCHYARD_INDEX_SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const LIMIT_MS = 60_000;
/** What is torn may loop for ever; that is a fault like any other. */
const UNLOCKED_LIMIT_MS = 3000;

/** Decides again on one thread in the order of the sequence numbers, and says what differs. */
function faultsOf(run: SharedRun, outcome: SharedOutcome): readonly string[] {
  const { logs, index, sequence, inFlight } = outcome;
  if (logs === undefined) return ["a thread failed or did not end"];
  const faults: string[] = [];
  const words = wordsOf(run.shape);
  const decisions = logs
    .flatMap((log) =>
      Array.from({ length: run.decisions }, (_, at) => log.subarray(at * words, (at + 1) * words)),
    )
    .toSorted((left, right) => (left[0] as number) - (right[0] as number));
  if (sequence !== decisions.length) faults.push(`${sequence} sequence numbers`);
  const again = new RadixBlockIndex(run.shape.blocksPerSlot, indexBuffer(run.shape));
  const matched = new Int32Array(run.shape.slots);
  for (const [at, decision] of decisions.entries()) {
    const [number = -1, prompt = 0, slot = -1] = decision;
    const chain = promptOf(prompt);
    if (number !== at) faults.push(`sequence number ${number} at ${at}`);
    again.match(chain, chain.length / 2, matched);
    if (Buffer.compare(bytesOf(matched), bytesOf(decision.subarray(3))) !== 0) {
      faults.push(`other matches in decision ${at}`);
    }
    if (slotFor(matched, at) !== slot) faults.push(`another slot in decision ${at}`);
    again.record(chain, chain.length / 2, slot);
  }
  for (let slot = 0; slot < run.shape.slots; slot++) {
    if (index.blockCount(slot) !== again.blockCount(slot)) faults.push(`occupancy of slot ${slot}`);
    if (inFlight[slot] !== 0) faults.push(`${inFlight[slot]} in flight in slot ${slot}`);
  }
  if (JSON.stringify(index.occupancy) !== JSON.stringify(again.occupancy)) {
    faults.push("occupancy of the index");
  }
  return faults;
}

function bytesOf(words: Int32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

const crowded: IndexShape = { slots: 16, blocks: 4800, blocksPerSlot: 300, records: 700, sets: 40 };
for (const { name, shape } of [
  { name: "without eviction", shape: indexShape(16, 100_000) },
  { name: "with constant eviction", shape: indexShape(16, 1000) },
  { name: "short of runs and sets", shape: crowded },
]) {
  test(`shared-index: threads decide as one would in the same order, ${name}`, async (t) => {
    t.diagnostic(`SWITCHYARD_INDEX_SEED=${SEED}`);
    const run = { shape, threads: 3, decisions: DECISIONS, isLocked: true, seed: SEED };
    assert.deepEqual(faultsOf(run, await runShared(run, LIMIT_MS)), []);
  });
}

test("shared-index: without the lock the same check finds faults", async (t) => {
  if (availableParallelism() < 2) return t.skip("threads need two cores to meet");
  const shape = indexShape(16, 1000);
  const run = { shape, threads: 2, decisions: DECISIONS, isLocked: false, seed: SEED };
  const faults = faultsOf(run, await runShared(run, UNLOCKED_LIMIT_MS));
  t.diagnostic(`${faults.length} faults, the first: ${faults[0]}`);
  assert.ok(faults.length > 0);
});

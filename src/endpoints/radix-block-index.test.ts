import assert from "node:assert/strict";
import test from "node:test";
import { chainOf } from "../../test/fixtures/chain-of.ts";
import {
  BlockIndexMemory,
  type IndexShape,
  indexBuffer,
  indexShape,
  sharedIndexBuffer,
} from "./block-index-memory.ts";
import { RadixBlockIndex } from "./radix-block-index.ts";

function matched(index: RadixBlockIndex, path: readonly number[], slotCount = 1): number[] {
  const matchedBySlot = new Int32Array(slotCount).fill(-1);
  index.match(chainOf(path), path.length, matchedBySlot);
  return [...matchedBySlot];
}

function record(index: RadixBlockIndex, path: readonly number[], slot = 0): void {
  index.record(chainOf(path), path.length, slot);
}

function steps(from: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, at) => from + at);
}

test("radix-block-index: counts the leading blocks that each slot holds", () => {
  const index = new RadixBlockIndex(10);
  record(index, [1, 2, 3, 4], 0);
  record(index, [1, 2, 9, 9], 2);
  assert.deepEqual(matched(index, [1, 2, 3, 5], 4), [3, 0, 2, 0]);
});

test("radix-block-index: an empty one matches nothing", () => {
  assert.deepEqual(matched(new RadixBlockIndex(10), [1, 2], 3), [0, 0, 0]);
  assert.equal(new RadixBlockIndex(10).blockCount(7), 0);
});

test("radix-block-index: an empty chain matches nothing and leaves nothing", () => {
  const index = new RadixBlockIndex(10);
  record(index, []);
  record(index, [1]);
  assert.deepEqual(matched(index, [], 2), [0, 0]);
  assert.equal(index.blockCount(0), 1);
});

test("radix-block-index: only the blocks that are given count, whatever stands behind them", () => {
  const index = new RadixBlockIndex(10);
  index.record(chainOf([1, 2, 3]), 2, 0);
  assert.deepEqual(matched(index, [1, 2, 3]), [2]);
  const matchedBySlot = new Int32Array(1);
  index.match(chainOf([1, 2, 3]), 1, matchedBySlot);
  assert.deepEqual([...matchedBySlot], [1]);
});

test("radix-block-index: a later block counts for nothing behind a gap", () => {
  const index = new RadixBlockIndex(10);
  const whole = chainOf([1, 2, 3]);
  index.record(whole.subarray(4), 1, 0);
  assert.deepEqual(matched(index, [1, 2, 3]), [0]);
  // The same hash may come to stand in two places; each keeps its own.
  record(index, [1, 2, 3]);
  record(index, [1, 2, 4]);
  index.purge(0);
  assert.equal(index.blockCount(0), 0);
  record(index, [1, 2, 3]);
  assert.deepEqual(matched(index, [1, 2, 3]), [3]);
});

test("radix-block-index: words with the highest bit are found again", () => {
  const index = new RadixBlockIndex(4);
  const chain = Uint32Array.of(0xffffffff, 0x80000000, 0x80000001, 0xfffffffe, 0, 0);
  index.record(chain, 3, 0);
  const matchedBySlot = new Int32Array(1);
  index.match(chain, 3, matchedBySlot);
  assert.deepEqual([...matchedBySlot], [3]);
});

test("radix-block-index: hashes that share one word are different blocks", () => {
  const index = new RadixBlockIndex(4);
  index.record(Uint32Array.of(5, 6), 1, 0);
  for (const other of [Uint32Array.of(5, 7), Uint32Array.of(4, 6)]) {
    const matchedBySlot = new Int32Array(1);
    index.match(other, 1, matchedBySlot);
    assert.deepEqual([...matchedBySlot], [0]);
  }
});

test("radix-block-index: a run is found only behind its own parent", () => {
  const index = new RadixBlockIndex(10);
  record(index, [1, 2], 0);
  record(index, [1, 3], 0);
  record(index, [9], 1);
  // No hasher gives this chain: its second block is that of another prefix.
  const strange = Uint32Array.of(...chainOf([9]), ...chainOf([1, 2]).subarray(2));
  const matchedBySlot = new Int32Array(2);
  index.match(strange, 2, matchedBySlot);
  assert.deepEqual([...matchedBySlot], [0, 1]);
});

test("radix-block-index: a full slot forgets leaves first", () => {
  const index = new RadixBlockIndex(4);
  record(index, [1, 2, 3, 4]);
  record(index, [8]);
  assert.deepEqual(matched(index, [1, 2, 3, 4]), [3]);
  record(index, [9]);
  assert.deepEqual(matched(index, [1, 2, 3, 4]), [2]);
});

test("radix-block-index: what was recorded again is no longer the oldest", () => {
  const index = new RadixBlockIndex(4);
  record(index, [1, 2]);
  record(index, [5, 6]);
  record(index, [1, 2]);
  record(index, [8, 9]);
  assert.deepEqual(matched(index, [1, 2]), [2]);
  assert.deepEqual(matched(index, [5, 6]), [0]);
});

test("radix-block-index: a prefix that is used again does not keep the rest of its chain", () => {
  const index = new RadixBlockIndex(4);
  record(index, [1, 2, 3]);
  record(index, [5]);
  record(index, [1]);
  record(index, [6, 7]);
  assert.deepEqual(matched(index, [1, 2, 3]), [1]);
  assert.deepEqual(matched(index, [5]), [1]);
});

test("radix-block-index: of a prompt over the capacity the first blocks stay", () => {
  const index = new RadixBlockIndex(3);
  record(index, [1, 2, 3, 4, 5]);
  assert.deepEqual(matched(index, [1, 2, 3, 4, 5]), [3]);
  assert.equal(index.blockCount(0), 3);
});

test("radix-block-index: a slot that evicts takes nothing from the others", () => {
  const index = new RadixBlockIndex(4);
  for (const slot of [0, 1]) record(index, [1, 2, 3, 4], slot);
  record(index, [7], 0);
  // A run of two holders goes by halves.
  assert.deepEqual(matched(index, [1, 2, 3, 4], 2), [2, 4]);
  assert.equal(index.blockCount(0), 3);
});

test("radix-block-index: a run that many slots hold goes whole", () => {
  const index = new RadixBlockIndex(4);
  for (let slot = 0; slot < 9; slot++) record(index, [1, 2, 3, 4], slot);
  record(index, [7], 0);
  assert.deepEqual(matched(index, [1, 2, 3, 4], 9), [0, 4, 4, 4, 4, 4, 4, 4, 4]);
});

test("radix-block-index: purging a slot leaves the others", () => {
  const index = new RadixBlockIndex(4);
  record(index, [1, 2], 0);
  record(index, [1, 2], 1);
  index.purge(0);
  index.purge(5);
  assert.deepEqual(matched(index, [1, 2], 2), [0, 2]);
  assert.equal(index.blockCount(0), 0);
});

test("radix-block-index: a slot that was purged starts empty", () => {
  const index = new RadixBlockIndex(4);
  record(index, [1, 2]);
  index.purge(0);
  record(index, [1]);
  assert.deepEqual(matched(index, [1, 2]), [1]);
});

test("radix-block-index: slots come at any time and in any order", () => {
  const index = new RadixBlockIndex(8);
  const want = new Array(1200).fill(0);
  for (const slot of [3, 31, 32, 64, 700, 5, 1199]) {
    record(index, [1, 2, slot], slot);
    want[slot] = slot === 700 ? 3 : 2;
  }
  assert.deepEqual(matched(index, [1, 2, 700], 1200), want);
});

test("radix-block-index: a negative slot is a programmer's error", () => {
  assert.throws(() => record(new RadixBlockIndex(4), [1], -1), /not negative/);
});

test("radix-block-index: the longest prompt is held and found, and cut where another one leaves it", () => {
  const index = new RadixBlockIndex(10_000);
  const long = steps(0, 8192);
  record(index, long);
  assert.deepEqual(matched(index, long), [8192]);
  for (const cut of [1, 31, 32, 33, 5000, 8191]) {
    assert.deepEqual(matched(index, [...long.slice(0, cut), -1]), [cut]);
  }
  record(index, [...long.slice(0, 5000), -1, -2], 1);
  assert.deepEqual(matched(index, long, 2), [8192, 5000]);
});

test("radix-block-index: what is purged leaves nothing taken, and clearing forgets the rest", () => {
  const empty = { blocks: 0, runs: 0, records: 0, sets: 0 };
  const index = new RadixBlockIndex(4096);
  for (let chain = 0; chain < 200; chain++) {
    for (const slot of [0, 1, 2, 3]) record(index, steps(chain * 7, 128), slot);
  }
  assert.equal(index.blockCount(3), 4096);
  for (const slot of [0, 1, 2]) index.purge(slot);
  assert.notDeepEqual(index.occupancy, empty);
  index.purge(3);
  assert.deepEqual(index.occupancy, empty);
  record(index, [1, 2]);
  index.clear();
  assert.deepEqual(index.occupancy, empty);
  assert.deepEqual(matched(index, [1, 2]), [0]);
  record(index, [1, 2]);
  assert.deepEqual(matched(index, [1, 2]), [2]);
});

test("radix-block-index: a thousand full slots fit into 450 MB", () => {
  const { byteLength } = indexBuffer(indexShape(1000, 39_744));
  assert.ok(byteLength <= 450e6, `${byteLength} bytes`);
});

test("radix-block-index: a capacity beyond what can be addressed is cut, not refused", () => {
  const shape = indexShape(1000, 1_000_000_000);
  assert.equal(shape.blocksPerSlot, Math.floor(2 ** 28 / 1000));
  assert.equal(shape.blocks, 2 ** 28);
});

test("radix-block-index: two views of one buffer are one index, and move together", () => {
  const owner = new RadixBlockIndex(8, sharedIndexBuffer(indexShape(2, 8)));
  const other = new RadixBlockIndex(8, owner.buffer);
  record(other, [1, 2, 3], 1);
  assert.deepEqual(matched(owner, [1, 2, 3], 2), [0, 3]);
  // Only the owner makes room for slots.
  record(other, [1], 2);
  assert.deepEqual(matched(owner, [1], 3), [0, 1, 0]);
  owner.grow(3);
  record(owner, [1, 2], 2);
  assert.deepEqual(matched(owner, [1, 2, 3], 3), [0, 3, 2]);
  // Until it is told, the other one knows nothing and changes nothing.
  record(other, [7], 0);
  assert.deepEqual(matched(other, [1, 2, 3], 3), [0, 0, 0]);
  other.moveTo(owner.buffer as SharedArrayBuffer);
  assert.deepEqual(matched(other, [1, 2, 3], 3), [0, 3, 2]);
  assert.deepEqual(matched(other, [7], 3), [0, 0, 0]);
});

test("radix-block-index: without runs left, slots above their share give up their oldest", () => {
  const shape: IndexShape = {
    slots: 2,
    blocks: 2000,
    blocksPerSlot: 1000,
    records: 1080,
    sets: 50,
  };
  const index = new RadixBlockIndex(1000, indexBuffer(shape));
  record(index, [-1]);
  // A run each in the other slot: far more than there are.
  for (let chain = 0; chain < 2000; chain++) record(index, [chain], 1);
  assert.deepEqual(matched(index, [-1], 2), [1, 0]);
  assert.deepEqual(matched(index, [1999], 2), [0, 1]);
  assert.deepEqual(matched(index, [0], 2), [0, 0]);
  assert.ok(index.occupancy.records <= 1080);
});

test("radix-block-index: what does not fit at all is recorded as far as it does", () => {
  const shape: IndexShape = { slots: 2, blocks: 20, blocksPerSlot: 10, records: 4, sets: 1 };
  const index = new RadixBlockIndex(10, indexBuffer(shape));
  record(index, [1, 2, 3], 0);
  record(index, [1, 4, 5], 1);
  record(index, [6], 1);
  const counts = matched(index, [1, 4, 5], 2);
  assert.ok((counts[0] as number) <= 1 && (counts[1] as number) <= 3);
  index.purge(0);
  index.purge(1);
  assert.deepEqual(index.occupancy, { blocks: 0, runs: 0, records: 0, sets: 0 });
});

test("radix-block-index: what a thread left half-changed is forgotten by whoever comes next", () => {
  for (const use of ["match", "record"] as const) {
    const index = new RadixBlockIndex(8);
    record(index, [1, 2, 3]);
    new BlockIndexMemory(index.buffer).beginChange();
    if (use === "record") record(index, [7]);
    assert.deepEqual(matched(index, [1, 2, 3]), [0]);
    assert.deepEqual(matched(index, [7]), [use === "record" ? 1 : 0]);
    record(index, [1, 2]);
    assert.deepEqual(matched(index, [1, 2]), [2]);
  }
});

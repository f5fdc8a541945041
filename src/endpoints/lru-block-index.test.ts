import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { LruBlockIndex } from "./lru-block-index.ts";

/** A chain as hashes: a block's key depends on everything before it, as a hasher's does. */
function chainOf(path: readonly number[]): Uint32Array {
  let key = 7;
  return Uint32Array.from(
    path.flatMap((step) => {
      key = (key * 31 + step + 1) >>> 0;
      return [key, step];
    }),
  );
}

function matched(index: LruBlockIndex, path: readonly number[], slotCount = 1): readonly number[] {
  const matchedBySlot = new Int32Array(slotCount).fill(-1);
  index.match(chainOf(path), path.length, matchedBySlot);
  return [...matchedBySlot];
}

function record(index: LruBlockIndex, path: readonly number[], slot = 0): void {
  index.record(chainOf(path), path.length, slot);
}

test("lru-block-index: counts the leading blocks that each slot holds", () => {
  const index = new LruBlockIndex(10);
  record(index, [1, 2, 3, 4], 0);
  record(index, [1, 2, 9, 9], 2);
  assert.deepEqual(matched(index, [1, 2, 3, 5], 4), [3, 0, 2, 0]);
});

test("lru-block-index: a later block counts for nothing behind a gap", () => {
  const index = new LruBlockIndex(10);
  const whole = chainOf([1, 2, 3]);
  index.record(whole.subarray(4), 1, 0);
  assert.deepEqual(matched(index, [1, 2, 3]), [0]);
});

test("lru-block-index: a full slot forgets leaves first", () => {
  const index = new LruBlockIndex(4);
  record(index, [1, 2, 3, 4]);
  record(index, [8]);
  assert.deepEqual(matched(index, [1, 2, 3, 4]), [3]);
  record(index, [9]);
  assert.deepEqual(matched(index, [1, 2, 3, 4]), [2]);
});

test("lru-block-index: of a prompt over the capacity the first blocks stay", () => {
  const index = new LruBlockIndex(3);
  record(index, [1, 2, 3, 4, 5]);
  assert.deepEqual(matched(index, [1, 2, 3, 4, 5]), [3]);
  assert.equal(index.blockCount(0), 3);
});

test("lru-block-index: purging a slot leaves the others", () => {
  const index = new LruBlockIndex(4);
  record(index, [1, 2], 0);
  record(index, [1, 2], 1);
  index.purge(0);
  index.purge(5);
  assert.deepEqual(matched(index, [1, 2], 2), [0, 2]);
  assert.equal(index.blockCount(0), 0);
});

test("lru-block-index: memory is that of the slots in use", () => {
  const index = new LruBlockIndex(100);
  assert.equal(index.sizeBytes, 0);
  record(index, [1], 0);
  const one = index.sizeBytes;
  record(index, [1], 3);
  assert.equal(index.sizeBytes, 2 * one);
  index.purge(0);
  assert.equal(index.sizeBytes, one);
});

test("lru-block-index: what is left of any prompt is always a prefix of it", () => {
  const paths = fc.array(fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 8 }), {
    minLength: 1,
    maxLength: 30,
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), paths, (capacity, recorded) => {
      const index = new LruBlockIndex(capacity);
      for (const [at, path] of recorded.entries()) {
        record(index, path);
        assert.ok(index.blockCount(0) <= capacity);
        assert.deepEqual(matched(index, path), [Math.min(path.length, capacity)]);
        // Every block held anywhere is reached without a gap, so prefixes account for all of them.
        const reached = new Set<string>();
        for (const earlier of recorded.slice(0, at + 1)) {
          const [count] = matched(index, earlier);
          for (let blocks = 1; blocks <= (count ?? 0); blocks++) {
            reached.add(earlier.slice(0, blocks).join());
          }
        }
        assert.equal(reached.size, index.blockCount(0));
      }
    }),
  );
});

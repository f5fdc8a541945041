import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { BlockPool, NO_BLOCK } from "./block-pool.ts";

function take(pool: BlockPool, count: number): Int32Array {
  return Int32Array.from({ length: count }, () => pool.take());
}

test("block pool: block 0 is reserved and an empty pool gives none", () => {
  const pool = new BlockPool(4);
  assert.deepEqual([...take(pool, 4)], [1, 2, 3, NO_BLOCK]);
  assert.equal(pool.usedCount, 3);
});

test("block pool: a sequence's tail is evicted before its head", () => {
  const evicted: number[] = [];
  const pool = new BlockPool(4, (key) => evicted.push(key));
  const blocks = take(pool, 3);
  for (const [i, block] of blocks.entries()) pool.setKey(block, 100 + i);
  pool.release(blocks, 0, 3);
  take(pool, 2);
  assert.deepEqual(evicted, [102, 101]);
  assert.equal(pool.find(100), blocks[0]);
  assert.equal(pool.find(101), NO_BLOCK);
});

test("block pool: a shared block is not free until its last reader releases it", () => {
  const pool = new BlockPool(3);
  const blocks = take(pool, 1);
  pool.setKey(blocks[0] as number, 7);
  pool.share(pool.find(7));
  assert.equal(pool.sharedCount, 1);
  pool.release(blocks, 0, 1);
  assert.equal(pool.sharedCount, 0);
  assert.equal(pool.freeCount, 1);
  pool.release(blocks, 0, 1);
  assert.equal(pool.freeCount, 2);
  pool.share(pool.find(7));
  assert.equal(pool.freeCount, 1);
});

test("block pool: equal blocks stay side by side and the older is found", () => {
  const pool = new BlockPool(4);
  const blocks = take(pool, 2);
  pool.setKey(blocks[0] as number, 5);
  pool.setKey(blocks[1] as number, 5);
  assert.equal(pool.find(5), blocks[0]);
  pool.release(blocks, 0, 1);
  take(pool, 2);
  assert.equal(pool.find(5), blocks[1]);
});

test("block pool: a block released once too often is a programmer's error", () => {
  const pool = new BlockPool(2);
  const blocks = take(pool, 1);
  pool.release(blocks, 0, 1);
  assert.throws(() => pool.release(blocks, 0, 1), /free block/);
});

test("block pool: it agrees with a plain model under any use", () => {
  const operation = fc.record({ kind: fc.nat(3), key: fc.nat(12), pick: fc.nat(50) });
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 12 }), fc.array(operation), (blockCount, operations) => {
      const pool = new BlockPool(blockCount);
      const free = Array.from({ length: blockCount - 1 }, (_, i) => i + 1);
      const keys = new Map<number, number>();
      const readers: number[] = [];
      for (const { kind, key, pick } of operations) {
        const reader = pick % Math.max(1, readers.length);
        if (kind === 0) {
          const block = free.shift() ?? NO_BLOCK;
          assert.equal(pool.take(), block);
          keys.delete(block);
          if (block !== NO_BLOCK) readers.push(block);
        } else if (kind === 1 && readers.length > 0) {
          const [block = NO_BLOCK] = readers.splice(reader, 1);
          pool.release(Int32Array.of(block), 0, 1);
          if (!readers.includes(block)) free.push(block);
        } else if (kind === 2 && readers.length > 0 && !keys.has(readers[reader] as number)) {
          pool.setKey(readers[reader] as number, key);
          keys.set(readers[reader] as number, key);
        } else if (kind === 3) {
          const holder = [...keys].find(([, held]) => held === key)?.[0] ?? NO_BLOCK;
          assert.equal(pool.find(key), holder);
          if (holder === NO_BLOCK) continue;
          pool.share(holder);
          if (free.includes(holder)) free.splice(free.indexOf(holder), 1);
          readers.push(holder);
        }
        assert.equal(pool.freeCount, free.length);
        assert.equal(pool.sharedCount, readers.length - new Set(readers).size);
        assert.equal(pool.usedCount + pool.freeCount, blockCount - 1);
      }
    }),
  );
});

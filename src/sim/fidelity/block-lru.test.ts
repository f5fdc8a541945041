import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { BlockLru } from "./block-lru.ts";

/** The same contract in three lines: a Map keeps the order of insertion. */
class MapLru {
  readonly #capacity: number;
  readonly #keys = new Map<string, true>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  touch(key: string): void {
    const [oldest] = this.#keys.keys();
    if (!this.#keys.delete(key) && this.#keys.size === this.#capacity)
      this.#keys.delete(oldest ?? "");
    this.#keys.set(key, true);
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  get count(): number {
    return this.#keys.size;
  }
}

// Words that share their low bits meet in one bucket; the highest bit must not become a sign.
const words = fc.constantFrom(0, 1, 2, 64, 128, 0x7fffffff, 0x80000000, 0xffffffff);

test("block-lru: holds what a Map of the same capacity holds, after any sequence of touches", () => {
  const keys = fc.tuple(words, words);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.array(keys, { maxLength: 200 }),
      (capacity, touched) => {
        const lru = new BlockLru(capacity);
        const model = new MapLru(capacity);
        for (const [lo, hi] of touched) {
          lru.touch(lo, hi);
          model.touch(`${lo}:${hi}`);
          assert.equal(lru.count, model.count);
          for (const [otherLo, otherHi] of touched) {
            assert.equal(lru.has(otherLo, otherHi), model.has(`${otherLo}:${otherHi}`));
          }
        }
      },
    ),
  );
});

test("block-lru: signed and unsigned forms of a word are one key", () => {
  const lru = new BlockLru(4);
  lru.touch(-1, -2);
  assert.equal(lru.has(0xffffffff, 0xfffffffe), true);
  lru.touch(0xffffffff, 0xfffffffe);
  assert.equal(lru.count, 1);
});

test("block-lru: an empty one holds nothing, not even the zero key", () => {
  assert.equal(new BlockLru(4).has(0, 0), false);
});

test("block-lru: memory is taken once and stays below 32 bytes for each block", () => {
  const lru = new BlockLru(39_744);
  const before = lru.sizeBytes;
  for (let i = 0; i < 100_000; i++) lru.touch(i, i);
  assert.equal(lru.sizeBytes, before);
  assert.equal(lru.count, 39_744);
  assert.ok(before < 32 * 39_744, `${before} bytes`);
});

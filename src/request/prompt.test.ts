import assert from "node:assert/strict";
import test from "node:test";
import { blockHasher } from "../../test/fixtures/block-hasher.ts";
import type { BlockHasher } from "./block-hasher.ts";
import { BytesPrompt } from "./prompt.ts";

function promptOf(size: number, hasher: BlockHasher = blockHasher): BytesPrompt {
  const bytes = Uint8Array.from({ length: size }, (_, at) => at);
  return new BytesPrompt(bytes, { hasher, model: "m", cacheSalt: undefined });
}

const limits: readonly { maxBlocks: number; want: number }[] = [
  { maxBlocks: 0, want: 0 },
  { maxBlocks: 3, want: 3 },
  { maxBlocks: 6, want: 6 },
  { maxBlocks: 1000, want: 6 },
];
for (const { maxBlocks, want } of limits) {
  test(`prompt: at most ${maxBlocks} blocks of 26 bytes by four are ${want}`, () => {
    const chain = promptOf(26).blocks(4, maxBlocks);
    assert.equal(chain.blockCount, want);
    assert.equal(chain.hashes.length, 2 * want);
  });
}

test("prompt: a shorter chain is the beginning of a longer one, whichever is asked for first", () => {
  for (const sizes of [
    [2, 5],
    [5, 2],
  ]) {
    const prompt = promptOf(26);
    for (const maxBlocks of sizes) {
      const chain = prompt.blocks(4, maxBlocks);
      const fresh = promptOf(26).blocks(4, 6);
      assert.deepEqual([...chain.hashes], [...fresh.hashes.subarray(0, 2 * maxBlocks)]);
    }
  }
});

test("prompt: a chain is hashed once for each block size", () => {
  let calls = 0;
  const counting: BlockHasher = {
    hash(...input) {
      calls++;
      return blockHasher.hash(...input);
    },
  };
  const prompt = promptOf(64, counting);
  prompt.blocks(4, 16);
  prompt.blocks(4, 16);
  prompt.blocks(4, 3);
  assert.equal(calls, 1);
  prompt.blocks(8, 16);
  assert.equal(calls, 2);
});

test("prompt: an empty prompt has no block", () => {
  assert.equal(promptOf(0).sizeBytes, 0);
  assert.equal(promptOf(0).blocks(4, 10).blockCount, 0);
});

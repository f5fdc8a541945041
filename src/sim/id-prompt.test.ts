import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { chainSeed } from "../request/block-hasher.ts";
import { IdPrompt, idBlockHasher, type PromptSegment } from "./id-prompt.ts";

const segmentsArb = fc.array(
  fc.record({ id: fc.nat(3), tokenCount: fc.integer({ min: 1, max: 70 }) }),
  { minLength: 1, maxLength: 5 },
);

function engineKeys(prompt: IdPrompt, blockTokens: number): readonly number[] {
  return [...prompt.toEnginePrompt(blockTokens, false).blockKeys];
}

function routerKeys(prompt: IdPrompt, blockBytes: number, maxBlocks = 1e6): readonly number[] {
  const { hashes, blockCount } = prompt.blocks(blockBytes, maxBlocks);
  return Array.from(
    { length: blockCount },
    (_, block) => (hashes[2 * block] ?? 0) + (hashes[2 * block + 1] ?? 0) * 2 ** 32,
  );
}

test("id-prompt: router and engine see the same blocks, whatever their size", () => {
  const sizeArb = fc.constantFrom(1, 8, 16, 24, 32, 128);
  fc.assert(
    fc.property(segmentsArb, sizeArb, (segments, blockTokens) => {
      const prompt = new IdPrompt(segments, "m");
      const keys = engineKeys(prompt, blockTokens);
      assert.equal(keys.length, Math.floor(prompt.tokenCount / blockTokens));
      assert.deepEqual(keys, routerKeys(prompt, 4 * blockTokens));
    }),
  );
});

/** Tokens as (segment id, place in the segment): what equal text means here. */
function textOf(segments: readonly PromptSegment[]): readonly string[] {
  return segments.flatMap(({ id, tokenCount }) =>
    Array.from({ length: tokenCount }, (_, place) => `${id}:${place}`),
  );
}

test("id-prompt: equal keys are equal prefixes and nothing else is", () => {
  fc.assert(
    fc.property(segmentsArb, segmentsArb, (one, other) => {
      const [left, right] = [textOf(one), textOf(other)];
      const shared = left.findIndex((token, index) => token !== right[index]);
      const sharedTokens = shared === -1 ? left.length : shared;
      const leftKeys = engineKeys(new IdPrompt(one, "m"), 16);
      const rightKeys = engineKeys(new IdPrompt(other, "m"), 16);
      for (let block = 0; block < Math.min(leftKeys.length, rightKeys.length); block++) {
        // Where a block's text is cut into segments is part of its key, so equal text may differ there.
        if (leftKeys[block] === rightKeys[block]) assert.ok(16 * (block + 1) <= sharedTokens);
      }
    }),
  );
});

test("id-prompt: a shared segment is a shared prefix up to the block that it fills", () => {
  const shared = { id: 1, tokenCount: 100 };
  const one = engineKeys(new IdPrompt([shared, { id: 2, tokenCount: 60 }], "m"), 16);
  const other = engineKeys(new IdPrompt([shared, { id: 3, tokenCount: 60 }], "m"), 16);
  assert.deepEqual(one.slice(0, 6), other.slice(0, 6));
  assert.notEqual(one[6], other[6]);
});

test("id-prompt: another model is another chain", () => {
  const segments = [{ id: 1, tokenCount: 64 }];
  const [one] = engineKeys(new IdPrompt(segments, "a"), 16);
  const [other] = engineKeys(new IdPrompt(segments, "b"), 16);
  assert.notEqual(one, other);
});

test("id-prompt: the router asks for at most so many blocks", () => {
  const prompt = new IdPrompt([{ id: 1, tokenCount: 640 }], "m");
  assert.deepEqual(routerKeys(prompt, 64, 3), routerKeys(prompt, 64).slice(0, 3));
});

test("id-prompt: an index that chains the token ids of KV events gets the router's keys", () => {
  fc.assert(
    fc.property(segmentsArb, fc.constantFrom(16, 32), (segments, blockTokens) => {
      const prompt = new IdPrompt(segments, "m");
      const { tokenIds = new Uint32Array(0) } = prompt.toEnginePrompt(blockTokens, true);
      assert.equal(tokenIds.length, prompt.tokenCount);
      const bytes = new Uint8Array(tokenIds.buffer);
      const out = new Uint32Array(2 * Math.floor(prompt.tokenCount / blockTokens));
      const seed = chainSeed("m", undefined);
      idBlockHasher.hash(bytes, 0, bytes.length, 4 * blockTokens, seed, out);
      assert.deepEqual(out, prompt.blocks(4 * blockTokens, 1e6).hashes);
    }),
  );
});

import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { blockHasher } from "../../test/fixtures/block-hasher.ts";
import { chainSeed } from "./block-hasher.ts";

const SEED = chainSeed("m", undefined);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function chainOf(bytes: Uint8Array, blockBytes: number, seed = SEED): readonly string[] {
  const out = new Uint32Array(2 * Math.ceil(bytes.length / blockBytes));
  const blocks = blockHasher.hash(bytes, 0, bytes.length, blockBytes, seed, out);
  return Array.from({ length: blocks }, (_, block) => `${out[2 * block]}:${out[2 * block + 1]}`);
}

const counts: readonly { name: string; size: number; blockBytes: number; want: number }[] = [
  { name: "nothing", size: 0, blockBytes: 4, want: 0 },
  { name: "less than a block", size: 3, blockBytes: 4, want: 0 },
  { name: "exactly one block", size: 4, blockBytes: 4, want: 1 },
  { name: "a partial last block", size: 7, blockBytes: 4, want: 1 },
  { name: "blocks that are no multiple of four", size: 21, blockBytes: 7, want: 3 },
  { name: "blocks of one byte", size: 5, blockBytes: 1, want: 5 },
];
for (const { name, size, blockBytes, want } of counts) {
  test(`block-hasher: ${name} gives ${want} hashes`, () => {
    assert.equal(chainOf(new Uint8Array(size), blockBytes).length, want);
  });
}

test("block-hasher: room in the output limits the blocks", () => {
  const out = new Uint32Array(5);
  assert.equal(blockHasher.hash(new Uint8Array(64), 0, 64, 4, SEED, out), 2);
  assert.equal(out[4], 0);
});

test("block-hasher: a range is hashed like its copy", () => {
  const bytes = bytesOf("xxaaaabbbbyy");
  const out = new Uint32Array(4);
  assert.equal(blockHasher.hash(bytes, 2, 10, 4, SEED, out), 2);
  assert.deepEqual([`${out[0]}:${out[1]}`, `${out[2]}:${out[3]}`], chainOf(bytesOf("aaaabbbb"), 4));
});

test("block-hasher: two chains agree up to the first byte that differs and never after it", () => {
  const setting = fc.record({
    bytes: fc.uint8Array({ minLength: 1, maxLength: 200 }),
    blockBytes: fc.integer({ min: 1, max: 20 }),
    flip: fc.record({ at: fc.nat(), bit: fc.integer({ min: 0, max: 7 }) }),
  });
  fc.assert(
    fc.property(setting, ({ bytes, blockBytes, flip }) => {
      const at = flip.at % bytes.length;
      const changed = Uint8Array.from(bytes);
      changed[at] = (changed[at] as number) ^ (1 << flip.bit);
      const before = chainOf(bytes, blockBytes);
      const after = chainOf(changed, blockBytes);
      const firstChanged = Math.floor(at / blockBytes);
      for (const [block, hash] of before.entries()) {
        assert.equal(hash === after[block], block < firstChanged);
      }
    }),
  );
});

test("block-hasher: the chain continues over a split, with the last hash as seed", () => {
  const whole = bytesOf("aaaabbbbccccdddd");
  const head = new Uint32Array(4);
  blockHasher.hash(whole, 0, 8, 4, SEED, head);
  const seed = { lo: head[2] as number, hi: head[3] as number };
  assert.deepEqual(chainOf(whole.subarray(8), 4, seed), chainOf(whole, 4).slice(2));
});

test("block-hasher: many prompts that differ little do not collide", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 20_000; i++)
    seen.add(chainOf(bytesOf(`${i}`.padStart(16, "0")), 16)[0] ?? "");
  assert.equal(seen.size, 20_000);
});

const seeds: readonly [string, string, string | undefined, string, string | undefined][] = [
  ["models", "a", undefined, "b", undefined],
  ["a salt and none", "a", undefined, "a", "s"],
  ["an empty salt and none", "a", undefined, "a", ""],
  ["salts", "a", "s", "a", "t"],
  ["another place of the border", "a", "b", "ab", ""],
];
for (const [name, model, salt, otherModel, otherSalt] of seeds) {
  test(`block-hasher: seeds differ by ${name}`, () => {
    assert.notDeepEqual(chainSeed(model, salt), chainSeed(otherModel, otherSalt));
  });
}

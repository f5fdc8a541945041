import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { WasmBlockHasher } from "../../src/request/wasm-block-hasher.ts";

// XXH64 as its specification words it, in BigInt.
const WORD = (1n << 64n) - 1n;
const [P1, P2, P3, P4, P5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
] as const;

const rotl = (word: bigint, bits: bigint): bigint =>
  ((word << bits) | (word >> (64n - bits))) & WORD;
const round = (lane: bigint, word: bigint): bigint =>
  (rotl((lane + word * P2) & WORD, 31n) * P1) & WORD;

function xxh64(bytes: Uint8Array, seed = 0n): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  let hash = (seed + P5) & WORD;
  if (bytes.length >= 32) {
    const lanes = [seed + P1 + P2, seed + P2, seed, seed - P1].map((lane) => lane & WORD);
    for (; at + 32 <= bytes.length; at += 32) {
      lanes.forEach((lane, i) => {
        lanes[i] = round(lane, view.getBigUint64(at + 8 * i, true));
      });
    }
    const turns = [1n, 7n, 12n, 18n];
    hash = lanes.reduce((sum, lane, i) => (sum + rotl(lane, turns[i] ?? 0n)) & WORD, 0n);
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * P1 + P4) & WORD;
  }
  hash = (hash + BigInt(bytes.length)) & WORD;
  for (; at + 8 <= bytes.length; at += 8) {
    hash = (rotl(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4) & WORD;
  }
  if (at + 4 <= bytes.length) {
    const word = BigInt(view.getUint32(at, true));
    hash = (rotl(hash ^ ((word * P1) & WORD), 23n) * P2 + P3) & WORD;
    at += 4;
  }
  for (; at < bytes.length; at++) {
    hash = (rotl(hash ^ ((BigInt(bytes[at] as number) * P5) & WORD), 11n) * P1) & WORD;
  }
  hash = ((hash ^ (hash >> 33n)) * P2) & WORD;
  hash = ((hash ^ (hash >> 29n)) * P3) & WORD;
  return hash ^ (hash >> 32n);
}

function chain(bytes: Uint8Array, blockBytes: number, seed: bigint): readonly bigint[] {
  const hashes: bigint[] = [];
  let before = seed;
  for (let at = 0; at + blockBytes <= bytes.length; at += blockBytes) {
    const block = new Uint8Array(blockBytes + 8);
    block.set(bytes.subarray(at, at + blockBytes));
    new DataView(block.buffer).setBigUint64(blockBytes, before, true);
    before = xxh64(block);
    hashes.push(before);
  }
  return hashes;
}

const hasher = new WasmBlockHasher();

function hashed(bytes: Uint8Array, blockBytes: number, seed: bigint): readonly bigint[] {
  const out = new Uint32Array(2 * Math.floor(bytes.length / blockBytes));
  const pair = { lo: Number(seed & 0xffffffffn), hi: Number(seed >> 32n) };
  const blocks = hasher.hash(bytes, 0, bytes.length, blockBytes, pair, out);
  assert.equal(2 * blocks, out.length);
  return [...new BigUint64Array(out.buffer)];
}

// python-xxhash's documentation and the vectors of other implementations.
const vectors: readonly [text: string, seed: bigint, want: bigint][] = [
  ["", 0n, 0xef46db3751d8e999n],
  ["a", 0n, 0xd24ec4f1a98c6e5bn],
  ["abc", 0n, 0x44bc2cf5ad770999n],
  ["xxhash", 0n, 0x32dd38952c4bc720n],
  ["xxhash", 20141025n, 0xb559b98d844e0635n],
];
for (const [text, seed, want] of vectors) {
  test(`block-hasher: the reference of the tests gives the public hash of "${text}", seed ${seed}`, () => {
    assert.equal(xxh64(new TextEncoder().encode(text), seed), want);
  });
}

test("block-hasher: every hash is XXH64 of its block and the hash before it", () => {
  const setting = fc.record({
    bytes: fc.uint8Array({ maxLength: 1000 }),
    blockBytes: fc.oneof(fc.integer({ min: 1, max: 140 }), fc.constantFrom(32, 64, 96, 128)),
    seed: fc.bigInt({ min: 0n, max: WORD }),
  });
  fc.assert(
    fc.property(setting, ({ bytes, blockBytes, seed }) => {
      assert.deepEqual(hashed(bytes, blockBytes, seed), chain(bytes, blockBytes, seed));
    }),
    { numRuns: 500 },
  );
});

// Around the 262,144 bytes that are hashed in one call.
const sizes: readonly (readonly [blockBytes: number, sizeBytes: number])[] = [
  [64, 262_144],
  [64, 262_208],
  [1, 40_000],
  [1000, 600_000],
  [262_144, 600_000],
  [262_145, 600_000],
  [300_001, 700_000],
];
for (const [blockBytes, sizeBytes] of sizes) {
  test(`block-hasher: ${sizeBytes} bytes by ${blockBytes} are hashed like any other`, () => {
    const bytes = Uint8Array.from({ length: sizeBytes }, (_, at) => (at * 31 + (at >>> 8)) & 255);
    assert.deepEqual(hashed(bytes, blockBytes, 1n), chain(bytes, blockBytes, 1n));
  });
}

test("block-hasher: blocks of no bytes are none", () => {
  assert.equal(hasher.hash(new Uint8Array(0), 0, 0, 0, { lo: 0, hi: 0 }, new Uint32Array(2)), 0);
});

import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { HashPair } from "./block-hasher.ts";
import { llmdKeys } from "./llmd-keys.ts";
import { Xxh64 } from "./xxh64.ts";

/** What llm-d's own encoder gives for tokens 0 to 15 and 16 to 31, in blocks of 16. */
const VECTORS: readonly (readonly [
  seed: string,
  model: string,
  start: bigint,
  first: bigint,
  second: bigint,
])[] = [
  ["", "Qwen/Qwen3-32B", 11160219822859629256n, 15243646253334168632n, 6842759073306718080n],
  ["", "m", 11374735546233341228n, 7711063176051622293n, 3714816549193055456n],
  ["42", "Qwen/Qwen3-32B", 9214240205328285985n, 3760468151656259768n, 1843372973618612421n],
];

const wide = ({ lo, hi }: HashPair): bigint => (BigInt(hi) << 32n) | BigInt(lo);

function tokenBytes(tokens: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(tokens).buffer);
}

function keysOf(
  algorithm: "cbor-fnv" | "xxh64",
  given: { seed: string; model: string; tokens: readonly number[]; blockTokens: number },
): readonly bigint[] {
  const keys = llmdKeys(algorithm, given.seed);
  const bytes = tokenBytes(given.tokens);
  const out = new Uint32Array(2 * Math.ceil(given.tokens.length / given.blockTokens));
  const start = keys.seed(given.model, undefined);
  const count = keys.hasher.hash(bytes, 0, bytes.length, 4 * given.blockTokens, start, out);
  return Array.from({ length: count }, (_, block) =>
    wide({ lo: out[2 * block] as number, hi: out[2 * block + 1] as number }),
  );
}

for (const [seed, model, start, first, second] of VECTORS) {
  test(`llmd-keys: seed "${seed}" and model ${model} give llm-d's keys`, () => {
    assert.equal(wide(llmdKeys("cbor-fnv", seed).seed(model, undefined)), start);
    const tokens = Array.from({ length: 32 }, (_, token) => token);
    const keys = keysOf("cbor-fnv", { seed, model, tokens, blockTokens: 16 });
    assert.deepEqual(keys, [first, second]);
  });
}

test("llmd-keys: a partial last block has no key, and an empty prompt none at all", () => {
  for (const algorithm of ["cbor-fnv", "xxh64"] as const) {
    const given = { seed: "", model: "m", blockTokens: 16 };
    const tokens = Array.from({ length: 31 }, (_, token) => token);
    assert.equal(keysOf(algorithm, { ...given, tokens }).length, 1);
    assert.deepEqual(keysOf(algorithm, { ...given, tokens: [] }), []);
  }
});

const MASK = 2n ** 64n - 1n;

function fnvOf(bytes: readonly number[]): bigint {
  return bytes.reduce(
    (hash, byte) => ((hash ^ BigInt(byte)) * 0x100000001b3n) & MASK,
    0xcbf29ce484222325n,
  );
}

function cborUint(value: bigint): readonly number[] {
  const size = [24n, 2n ** 8n, 2n ** 16n, 2n ** 32n, 2n ** 64n].findIndex((top) => value < top);
  if (size === 0) return [Number(value)];
  const width = 2 ** (size - 1);
  const bytes = Array.from({ length: width }, (_, at) =>
    Number((value >> BigInt(8 * (width - 1 - at))) & 255n),
  );
  return [23 + size, ...bytes];
}

const token = fc.oneof(
  fc.nat({ max: 300 }),
  fc.nat({ max: 2 ** 18 }),
  fc.nat({ max: 2 ** 32 - 1 }),
);

test("llmd-keys: tokens of every size are encoded as canonical CBOR", () => {
  fc.assert(
    fc.property(fc.array(token, { minLength: 4, maxLength: 4 }), (tokens) => {
      const start = wide(llmdKeys("cbor-fnv", "").seed("m", undefined));
      const encoded = tokens.flatMap((value) => cborUint(BigInt(value)));
      const want = fnvOf([0x83, ...cborUint(start), 0x84, ...encoded, 0xf6]);
      const given = { seed: "", model: "m", tokens, blockTokens: 4 };
      assert.deepEqual(keysOf("cbor-fnv", given), [want]);
    }),
  );
});

const [P1, P2, P3, P4, P5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
];

/** The published algorithm in BigInt. */
function xxhOf(bytes: Uint8Array): bigint {
  const turn = (value: bigint, by: bigint): bigint =>
    ((value << by) | (value >> (64n - by))) & MASK;
  const round = (acc: bigint, input: bigint): bigint =>
    (turn((acc + input * P2) & MASK, 31n) * P1) & MASK;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let hash = P5;
  if (bytes.length >= 32) {
    const lanes = [(P1 + P2) & MASK, P2, 0n, -P1 & MASK];
    for (; at + 32 <= bytes.length; at += 32) {
      for (const [lane, acc] of lanes.entries()) {
        lanes[lane] = round(acc, view.getBigUint64(at + 8 * lane, true));
      }
    }
    hash =
      lanes.reduce((sum, acc, lane) => sum + turn(acc, [1n, 7n, 12n, 18n][lane] ?? 0n), 0n) & MASK;
    for (const acc of lanes) hash = ((hash ^ round(0n, acc)) * P1 + P4) & MASK;
  }
  hash = (hash + BigInt(bytes.length)) & MASK;
  for (; at + 8 <= bytes.length; at += 8) {
    hash = (turn(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4) & MASK;
  }
  if (at + 4 <= bytes.length) {
    hash ^= (BigInt(view.getUint32(at, true)) * P1) & MASK;
    hash = (turn(hash, 23n) * P2 + P3) & MASK;
    at += 4;
  }
  for (; at < bytes.length; at++) {
    hash = (turn(hash ^ ((BigInt(bytes[at] ?? 0) * P5) & MASK), 11n) * P1) & MASK;
  }
  hash = ((hash ^ (hash >> 33n)) * P2) & MASK;
  hash = ((hash ^ (hash >> 29n)) * P3) & MASK;
  return hash ^ (hash >> 32n);
}

/** Published test values. */
for (const [text, want] of [
  ["", 0xef46db3751d8e999n],
  ["a", 0xd24ec4f1a98c6e5bn],
  ["abc", 0x44bc2cf5ad770999n],
] as const) {
  test(`xxh64: of ${JSON.stringify(text)}`, () => {
    const bytes = new TextEncoder().encode(text);
    assert.equal(wide(new Xxh64().digest(bytes)), want);
  });
}

test("xxh64: bytes of any length hash as BigInt says", () => {
  const xxh = new Xxh64();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.equal(wide(xxh.digest(bytes)), xxhOf(bytes));
    }),
  );
});

test("llmd-keys: xxh64 chains parent and tokens, and the model's name begins the chain", () => {
  const le = (value: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(value).buffer);
  const tokens = Array.from({ length: 40 }, (_, at) => 200_000 + at);
  const name = new TextEncoder().encode("Qwen/Qwen3-32B");
  const init = xxhOf(new TextEncoder().encode("42"));
  let parent = xxhOf(Uint8Array.from([...le(init), ...le(BigInt(name.length)), ...name]));
  const want = [0, 1].map((block) => {
    const bytes = tokenBytes(tokens.slice(16 * block, 16 * (block + 1)));
    parent = xxhOf(Uint8Array.from([...le(parent), ...bytes]));
    return parent;
  });
  const given = { seed: "42", model: "Qwen/Qwen3-32B", tokens, blockTokens: 16 };
  assert.deepEqual(keysOf("xxh64", given), want);
});

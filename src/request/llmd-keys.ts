import type { BlockKeys } from "./block-hasher.ts";
import { Fnv64 } from "./fnv64.ts";
import { Xxh64 } from "./xxh64.ts";

/** Algorithms of llm-d's block keys (llm-d-kv-cache, `tokenProcessorConfig.hashAlgorithm`). */
export const LLMD_HASH_ALGORITHMS = ["cbor-fnv", "xxh64"] as const;
export type LlmdHashAlgorithm = (typeof LLMD_HASH_ALGORITHMS)[number];

/**
 * Keys as llm-d's indexer makes them of token ids, four little-endian bytes each. Images and other extras
 * are left out, and so is the cache salt, which llm-d does not hash either.
 */
export function llmdKeys(algorithm: LlmdHashAlgorithm, hashSeed: string): BlockKeys {
  return algorithm === "cbor-fnv" ? cborFnvKeys(hashSeed) : xxh64Keys(hashSeed);
}

const encoder = new TextEncoder();

/** key = FNV-1a-64(canonical CBOR of [parent, tokens, null]). */
function cborFnvKeys(hashSeed: string): BlockKeys {
  const fnv = new Fnv64();
  fnv.bytes(encoder.encode(hashSeed));
  const start = { lo: fnv.lo, hi: fnv.hi };
  return {
    kind: "llm-d",
    seed(model) {
      fnv.reset();
      fnv.byte(CBOR_ARRAY_OF_THREE);
      cborUint64(fnv, start.lo, start.hi);
      fnv.byte(CBOR_NULL);
      const name = encoder.encode(model);
      cborHead(fnv, CBOR_TEXT, name.length);
      fnv.bytes(name);
      return { lo: fnv.lo, hi: fnv.hi };
    },
    hasher: {
      hash(bytes, from, end, blockBytes, seed, out) {
        const blocks = Math.min(Math.floor((end - from) / blockBytes), out.length >>> 1);
        let { lo, hi } = seed;
        let at = from;
        for (let block = 0; block < blocks; block++) {
          fnv.reset();
          fnv.byte(CBOR_ARRAY_OF_THREE);
          cborUint64(fnv, lo, hi);
          cborHead(fnv, CBOR_ARRAY, blockBytes >>> 2);
          for (const blockEnd = at + blockBytes; at < blockEnd; at += 4) {
            cborHead(fnv, CBOR_UINT, wordAt(bytes, at));
          }
          fnv.byte(CBOR_NULL);
          lo = fnv.lo;
          hi = fnv.hi;
          out[2 * block] = lo;
          out[2 * block + 1] = hi;
        }
        return blocks;
      },
    },
  };
}

/** Major types of CBOR, in the upper three bits of a head (RFC 8949). */
const CBOR_UINT = 0x00;
const CBOR_TEXT = 0x60;
const CBOR_ARRAY = 0x80;
const CBOR_ARRAY_OF_THREE = 0x83;
const CBOR_NULL = 0xf6;

function cborUint64(fnv: Fnv64, lo: number, hi: number): void {
  if (hi === 0) {
    cborHead(fnv, CBOR_UINT, lo);
    return;
  }
  fnv.byte(CBOR_UINT | 27);
  cborWord(fnv, hi);
  cborWord(fnv, lo);
}

/** The shortest form of a number below 2^32. */
function cborHead(fnv: Fnv64, major: number, value: number): void {
  if (value < 24) {
    fnv.byte(major | value);
  } else if (value < 0x100) {
    fnv.byte(major | 24);
    fnv.byte(value);
  } else if (value < 0x10000) {
    fnv.byte(major | 25);
    fnv.byte(value >>> 8);
    fnv.byte(value & 0xff);
  } else {
    fnv.byte(major | 26);
    cborWord(fnv, value);
  }
}

function cborWord(fnv: Fnv64, word: number): void {
  fnv.byte(word >>> 24);
  fnv.byte((word >>> 16) & 0xff);
  fnv.byte((word >>> 8) & 0xff);
  fnv.byte(word & 0xff);
}

/** key = XXH64(parent and tokens, little-endian); a model's chain begins with a block of its name. */
function xxh64Keys(hashSeed: string): BlockKeys {
  const xxh = new Xxh64();
  const start = xxh.digest(encoder.encode(hashSeed));
  return {
    kind: "llm-d",
    seed(model) {
      const name = encoder.encode(model);
      const bytes = new Uint8Array(16 + name.length);
      const view = new DataView(bytes.buffer);
      view.setUint32(0, start.lo, true);
      view.setUint32(4, start.hi, true);
      view.setUint32(8, name.length, true);
      bytes.set(name, 16);
      return xxh.digest(bytes);
    },
    hasher: {
      hash(bytes, from, end, blockBytes, seed, out) {
        const blocks = Math.min(Math.floor((end - from) / blockBytes), out.length >>> 1);
        const keyed = new Uint8Array(8 + blockBytes);
        const view = new DataView(keyed.buffer);
        let parent = seed;
        for (let block = 0; block < blocks; block++) {
          const at = from + block * blockBytes;
          view.setUint32(0, parent.lo, true);
          view.setUint32(4, parent.hi, true);
          keyed.set(bytes.subarray(at, at + blockBytes), 8);
          parent = xxh.digest(keyed);
          out[2 * block] = parent.lo;
          out[2 * block + 1] = parent.hi;
        }
        return blocks;
      },
    },
  };
}

function wordAt(bytes: Uint8Array, at: number): number {
  const word =
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24);
  return word >>> 0;
}

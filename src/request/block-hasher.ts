/** A 64-bit hash as two unsigned 32-bit words. */
export interface HashPair {
  readonly lo: number;
  readonly hi: number;
}

/** Port: hashes full blocks of a prompt into a chain, so that equal hash i means equal bytes up to block i. */
export interface BlockHasher {
  /**
   * Writes lo,hi pairs of the full blocks of `bytes[start, end)` to `out` and returns how many blocks
   * were written: min(full blocks, out.length / 2). The last, partial block has no hash.
   */
  hash(
    bytes: Uint8Array,
    start: number,
    end: number,
    blockBytes: number,
    seed: HashPair,
    out: Uint32Array,
  ): number;
}

/** How keys of KV-cache blocks are made; both sides of an index must use the same. */
export interface BlockKeys {
  /** `own` is the chain that `Prompt.blocks` gives. */
  readonly kind: "own" | "llm-d";
  readonly hasher: BlockHasher;
  /** Where the chain of a model or LoRA adapter begins. */
  seed(model: string, cacheSalt: string | undefined): HashPair;
}

const PRIME_A = 0x85ebca6b;
const PRIME_B = 0xc2b2ae35;
const PRIME_C = 0x9e3779b1;
const PRIME_D = 0x27d4eb2f;

/** Two murmur3-like 32-bit lanes. Only recordings keep hashes: another algorithm is another version of theirs. */
export const plainBlockHasher: BlockHasher = {
  hash(bytes, start, end, blockBytes, seed, out) {
    const blocks = Math.min(Math.floor((end - start) / blockBytes), out.length >>> 1);
    let lo = seed.lo | 0;
    let hi = seed.hi | 0;
    let at = start;
    for (let block = 0; block < blocks; block++) {
      const wordsEnd = at + (blockBytes & ~3);
      const blockEnd = at + blockBytes;
      for (; at < wordsEnd; at += 4) {
        const word =
          (bytes[at] as number) |
          ((bytes[at + 1] as number) << 8) |
          ((bytes[at + 2] as number) << 16) |
          ((bytes[at + 3] as number) << 24);
        lo = Math.imul(rotate(lo ^ Math.imul(word, PRIME_A), 13), PRIME_C);
        hi = Math.imul(rotate(hi ^ Math.imul(word, PRIME_B), 17), PRIME_D) ^ lo;
      }
      for (; at < blockEnd; at++) {
        lo = Math.imul(lo ^ (bytes[at] as number), PRIME_A);
        hi = Math.imul(hi ^ (bytes[at] as number), PRIME_B) ^ lo;
      }
      lo = avalanche(lo ^ hi);
      hi = avalanche(hi ^ Math.imul(lo, PRIME_C));
      out[2 * block] = lo;
      out[2 * block + 1] = hi;
    }
    return blocks;
  },
};

/** The router's own chain, by the hasher that prompts are hashed with. */
export function ownKeys(hasher: BlockHasher): BlockKeys {
  return { kind: "own", hasher, seed: chainSeed };
}

/** Seed of a chain: the model, and the salt that keeps tenants' caches apart, are no block of their own. */
export function chainSeed(model: string, cacheSalt: string | undefined): HashPair {
  let lo = 0x811c9dc5;
  let hi = 0x01000193;
  // The unit separator cannot stand in a model name, so ("a", "b") and ("ab", "") differ.
  const text = cacheSalt === undefined ? model : `${model}\u001f${cacheSalt}`;
  for (let i = 0; i < text.length; i++) {
    lo = Math.imul(lo ^ text.charCodeAt(i), PRIME_A);
    hi = Math.imul(hi ^ text.charCodeAt(i), PRIME_B) ^ lo;
  }
  return { lo: avalanche(lo) >>> 0, hi: avalanche(hi) >>> 0 };
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function avalanche(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, PRIME_A);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, PRIME_B);
  return mixed ^ (mixed >>> 16);
}

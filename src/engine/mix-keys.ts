/** Mixes two integers below 2^53 into one; used where keys, text and lengths derive from one another. */
export function mixKeys(a: number, b: number): number {
  let lo = (a | 0) ^ Math.imul(b | 0, 0x9e3779b1);
  let hi = Math.floor(a / WORD) ^ Math.imul(Math.floor(b / WORD) | 0, 0x85ebca6b);
  lo = avalanche(lo ^ Math.imul(hi, 0xc2b2ae35));
  hi = avalanche(hi ^ lo ^ 0x27d4eb2f);
  lo = avalanche(lo ^ hi);
  return (hi & 0x1fffff) * WORD + (lo >>> 0);
}

/** A key of a text, such as a request id. */
export function textKey(text: string): number {
  let key = text.length;
  for (let i = 0; i < text.length; i++) key = mixKeys(key, text.charCodeAt(i));
  return key;
}

const WORD = 4294967296;

/** Finaliser of murmur3. */
function avalanche(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/**
 * MD5 (RFC 1321) as lower-case hex; it names things as Kubernetes controllers do and protects
 * nothing.
 */
export function md5Hex(text: string): string {
  const words = paddedWords(new TextEncoder().encode(text));
  const state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476] as const;
  let [a, b, c, d]: [number, number, number, number] = [...state];
  for (let start = 0; start < words.length; start += 16) {
    const [a0, b0, c0, d0] = [a, b, c, d];
    for (let step = 0; step < 64; step++) {
      const round = step >> 4;
      const mixed = mix(round, b, c, d) + a + sine(step) + (words[start + wordOf(step)] ?? 0);
      [a, d, c] = [d, c, b];
      b = (b + rotateLeft(mixed | 0, SHIFTS[round]?.[step & 3] ?? 0)) | 0;
    }
    [a, b, c, d] = [(a + a0) | 0, (b + b0) | 0, (c + c0) | 0, (d + d0) | 0];
  }
  return [a, b, c, d].map(littleEndianHex).join("");
}

/** Rotations of each round, four in turn (RFC 1321, 3.4). */
const SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const;

function mix(round: number, b: number, c: number, d: number): number {
  if (round === 0) return (b & c) | (~b & d);
  if (round === 1) return (b & d) | (c & ~d);
  return round === 2 ? b ^ c ^ d : c ^ (b | ~d);
}

function wordOf(step: number): number {
  const [factor, offset] = WORD_ORDERS[step >> 4] ?? [1, 0];
  return (factor * step + offset) & 15;
}

/** Word of a step is (factor * step + offset) mod 16, by round. */
const WORD_ORDERS = [
  [1, 0],
  [5, 1],
  [3, 5],
  [7, 0],
] as const;

function sine(step: number): number {
  return Math.floor(Math.abs(Math.sin(step + 1)) * 4294967296);
}

function rotateLeft(value: number, count: number): number {
  return (value << count) | (value >>> (32 - count));
}

/** The message, a one bit, zeros up to 56 mod 64 bytes, and its length in bits. */
function paddedWords(bytes: Uint8Array): Int32Array {
  const words = new Int32Array((((bytes.length + 8) >> 6) + 1) * 16);
  for (const [index, byte] of bytes.entries()) {
    words[index >> 2] = (words[index >> 2] ?? 0) | (byte << ((index & 3) * 8));
  }
  const end = bytes.length;
  words[end >> 2] = (words[end >> 2] ?? 0) | (0x80 << ((end & 3) * 8));
  words[words.length - 2] = bytes.length * 8;
  return words;
}

function littleEndianHex(word: number): string {
  return [0, 8, 16, 24]
    .map((shift) => ((word >>> shift) & 255).toString(16).padStart(2, "0"))
    .join("");
}

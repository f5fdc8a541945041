import assert from "node:assert/strict";
import test from "node:test";
import { estimatingTokenizer } from "./tokenizer.ts";

const cases: readonly { name: string; bytes: readonly number[]; want: readonly number[] }[] = [
  { name: "nothing is no token", bytes: [], want: [] },
  { name: "four bytes are one token, little-endian", bytes: [1, 2, 3, 4], want: [0x04030201] },
  { name: "a partial piece is padded with zeros", bytes: [1, 2, 3, 4, 5], want: [0x04030201, 5] },
  { name: "the highest bit makes no negative id", bytes: [0, 0, 0, 255], want: [0xff000000] },
];
for (const { name, bytes, want } of cases) {
  test(`tokenizer: ${name}`, () => {
    assert.deepEqual([...estimatingTokenizer.tokenize(Uint8Array.from(bytes))], want);
  });
}

test("tokenizer: a view into a larger buffer is read from its own start", () => {
  const whole = Uint8Array.from([9, 9, 1, 0, 0, 0, 9]);
  assert.deepEqual([...estimatingTokenizer.tokenize(whole.subarray(2, 6))], [1]);
});

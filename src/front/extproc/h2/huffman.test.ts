import assert from "node:assert/strict";
import test from "node:test";
import { huffmanText } from "./huffman.ts";

const read = (hex: string): string | undefined => {
  const bytes = Buffer.from(hex, "hex");
  return huffmanText(bytes, 0, bytes.length);
};

// RFC 7541 C.4 and C.6.
const TEXTS: readonly (readonly [hex: string, text: string | undefined])[] = [
  ["", ""],
  ["f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"],
  ["a8eb10649cbf", "no-cache"],
  ["25a849e95bb8e8b4bf", "custom-value"],
  ["640eff", "307"],
  ["d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"],
  ["9d29ad171863c78f0b97c8e9ae82ae43d3", "https://www.example.com"],
  // Thirty bits each: LF, CR and 22, then two bits of the end.
  ["fffffff3fffffff7fffffffbff", undefined],
  ["fffffff3", "\n"],
  ["ff", undefined],
  ["1fff", undefined],
  ["18", undefined],
  ["fffffffc", undefined],
];
for (const [hex, text] of TEXTS) {
  test(`huffman: ${hex === "" ? "nothing" : hex} is ${JSON.stringify(text) ?? "wrong"}`, () => {
    assert.equal(read(hex), text);
  });
}

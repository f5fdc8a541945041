import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { childName } from "./child-name.ts";
import { md5Hex } from "./md5.ts";

// RFC 1321, A.5.
const DIGESTS: readonly (readonly [text: string, digest: string])[] = [
  ["", "d41d8cd98f00b204e9800998ecf8427e"],
  ["a", "0cc175b9c0f1b6a831c399e269772661"],
  ["abc", "900150983cd24fb0d6963f7d28e17f72"],
  ["message digest", "f96b697d7cb7938d525a2f31aaf161d0"],
  ["abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"],
  [
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    "d174ab98d277d9f5a5611c2c9f419d9f",
  ],
  [
    "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
    "57edf4a22be3c955ac49da2e2107b67a",
  ],
];

for (const [text, digest] of DIGESTS) {
  test(`md5: ${JSON.stringify(text.slice(0, 20))}`, () => assert.equal(md5Hex(text), digest));
}

test("md5: agrees with node:crypto on any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (text) => {
      assert.equal(md5Hex(text), createHash("md5").update(text).digest("hex"));
    }),
  );
});

const NAMES: readonly (readonly [parent: string, suffix: string, name: string])[] = [
  ["gpt-oss-20b", "-kserve-router-scheduler", "gpt-oss-20b-kserve-router-scheduler"],
  [
    "a".repeat(45),
    "-kserve-router-scheduler",
    "aaaaaaad1e358e6e3b707282cdd06e919f7e08c-kserve-router-scheduler",
  ],
  [
    "team-a-very-long-llm-service-name-with-many-words-v2",
    "-inference-pool",
    "team-a-very-long36a1a86843ed1a7a6e9e38a518218189-inference-pool",
  ],
  ["a".repeat(48), "-inference-pool", `${"a".repeat(48)}-inference-pool`],
  ["name", "-.-", "name"],
  ["name", "", "name"],
];

for (const [parent, suffix, name] of NAMES) {
  test(`child name: ${parent} ${suffix}`, () => assert.equal(childName(parent, suffix), name));
}

test("child name: never longer than 63, never ends in a separator", () => {
  const part = fc.stringMatching(/^[a-z0-9.-]{0,80}$/);
  fc.assert(
    fc.property(part, part, (parent, suffix) => {
      const name = childName(parent, suffix);
      assert.ok(name.length <= 63);
      assert.doesNotMatch(name, /[^a-z0-9]$/);
    }),
  );
});

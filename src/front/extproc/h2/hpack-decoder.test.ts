import assert from "node:assert/strict";
import test from "node:test";
import { H2_ERROR, H2Fault } from "./h2-protocol.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { headerBlock } from "./hpack-encoder.ts";

function decoded(decoder: HpackDecoder, hex: string): string[] {
  const fields: string[] = [];
  const block = Buffer.from(hex.replaceAll(/\s/g, ""), "hex");
  decoder.decode(block, ({ name, value }) => fields.push(`${name}: ${value}`));
  return fields;
}

const GET = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
const REQUESTS = [
  GET,
  [...GET, "cache-control: no-cache"],
  [
    ":method: GET",
    ":scheme: https",
    ":path: /index.html",
    ":authority: www.example.com",
    "custom-key: custom-value",
  ],
];
const answer = (status: string, second: number): string[] => [
  `:status: ${status}`,
  "cache-control: private",
  `date: Mon, 21 Oct 2013 20:13:${second} GMT`,
  "location: https://www.example.com",
];
const RESPONSES = [
  answer("302", 21),
  answer("307", 21),
  [
    ...answer("200", 22),
    "content-encoding: gzip",
    "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
  ],
];

/** A limit of 256 bytes, as the examples of responses have it. */
const LIMIT_256 = "3fe101";

// RFC 7541 appendix C.
const SEQUENCES: readonly (readonly [string, readonly string[], readonly string[][]])[] = [
  [
    "C.2.1",
    ["400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572"],
    [["custom-key: custom-header"]],
  ],
  ["C.2.2", ["040c 2f73 616d 706c 652f 7061 7468"], [[":path: /sample/path"]]],
  ["C.2.3", ["1008 7061 7373 776f 7264 0673 6563 7265 74"], [["password: secret"]]],
  ["C.2.4", ["82"], [[":method: GET"]]],
  [
    "C.3",
    [
      "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "8286 84be 5808 6e6f 2d63 6163 6865",
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ],
    REQUESTS,
  ],
  [
    "C.4",
    [
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
      "8286 84be 5886 a8eb 1064 9cbf",
      "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ],
    REQUESTS,
  ],
  [
    "C.5",
    [
      `${LIMIT_256}4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230
        3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70
        6c65 2e63 6f6d`,
      "4803 3330 37c1 c0bf",
      `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0
        5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851
        5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`,
    ],
    RESPONSES,
  ],
  [
    "C.6",
    [
      `${LIMIT_256}4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0
        82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
      "4883 640e ffc1 c0bf",
      `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad
        94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160
        65c0 03ed 4ee5 b106 3d50 07`,
    ],
    RESPONSES,
  ],
];
for (const [name, blocks, want] of SEQUENCES) {
  test(`hpack-decoder: RFC 7541 ${name}`, () => {
    const decoder = new HpackDecoder();
    assert.deepEqual(
      blocks.map((block) => decoded(decoder, block)),
      want,
    );
  });
}

const WRONG: readonly (readonly [name: string, hex: string])[] = [
  ["index 0", "80"],
  ["an index beyond the tables", "be"],
  ["a name's index beyond the tables", "7f00 0161"],
  ["an integer without its end", "ffff"],
  ["an integer of many bytes", "ffff ffff ffff ff01"],
  ["a text that is cut off", "400a 6375"],
  ["a text without its length", "40"],
  ["a value that is missing", "4001 61"],
  ["a table above what was offered", "3fe2 1f"],
  ["a table limit after a field", "82 20"],
  ["a Huffman code padded with zeros", "4081 00 0161"],
  ["a Huffman code padded with eight bits", "4082 1fff 0161"],
  ["the end of text within a text", "4084 ffff ffff 0161"],
];
for (const [name, hex] of WRONG) {
  test(`hpack-decoder: ${name} is a compression error`, () => {
    assert.throws(
      () => decoded(new HpackDecoder(), hex),
      (error) => error instanceof H2Fault && error.code === H2_ERROR.compression,
    );
  });
}

test("hpack-decoder: the table holds what fits, and a field that does not empties it", () => {
  const decoder = new HpackDecoder();
  const block = (length: number): string => {
    const value = Buffer.alloc(length, 0x62);
    const head =
      length < 127
        ? Buffer.of(length)
        : Buffer.of(0x7f, ((length - 127) & 0x7f) | 0x80, (length - 127) >> 7);
    return Buffer.concat([Buffer.of(0x40, 1, 0x61), head, value]).toString("hex");
  };
  // 4096 bytes are 41 fields of 99, and 37 more.
  for (let i = 0; i < 60; i++) decoded(decoder, block(66));
  assert.equal(decoded(decoder, "be").length, 1);
  assert.equal(decoded(decoder, `${(0x80 | 62).toString(16)}`).length, 1);
  assert.equal(decoded(decoder, "e6").length, 1);
  assert.throws(() => decoded(decoder, "e7"), H2Fault);
  decoded(decoder, block(4096));
  assert.throws(() => decoded(decoder, "be"), H2Fault);
});

test("hpack-decoder: a limit of nothing empties the table, and a later one opens it again", () => {
  const decoder = new HpackDecoder();
  decoded(decoder, "4001 6101 62");
  assert.deepEqual(decoded(decoder, "20 3fe1 1f 4001 6101 63"), ["a: c"]);
  assert.deepEqual(decoded(decoder, "be"), ["a: c"]);
  assert.throws(() => decoded(decoder, "bf"), H2Fault);
});

test("hpack-encoder: what it writes is read back, and leaves no trace in the table", () => {
  const fields = [
    [":status", "200"],
    ["content-type", "application/grpc"],
    ["grpc-message", "x".repeat(1000)],
  ] as const;
  const decoder = new HpackDecoder();
  const got = decoded(decoder, headerBlock(fields).toString("hex"));
  assert.deepEqual(
    got,
    fields.map(([name, value]) => `${name}: ${value}`),
  );
  assert.throws(() => decoded(decoder, "be"), H2Fault);
});

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { encode } from "@msgpack/msgpack";
import type { KvEvent } from "../core/kv-event.ts";
import { type KvFrame, KvFrameDecoder } from "./kv-event-frame.ts";

const HIGH = 0xfedc_ba98_7654_3210n;
const DIGEST = Uint8Array.from({ length: 32 }, (_, i) => 255 - i);
const DIGEST_TEXT = String.fromCharCode(...DIGEST);
const TOKENS = [1, 200, 70_000, 3_000_000_000];

function decode(batch: unknown): KvFrame {
  return new KvFrameDecoder().decode(encode(batch, { useBigInt64: true }));
}

function eventsOf(frame: KvFrame): readonly KvEvent[] {
  assert.equal(frame.kind, "events");
  return frame.kind === "events" ? frame.events : [];
}

const stored = (fields: Partial<KvEvent>): KvEvent => ({
  kind: "stored",
  blockHashes: [7],
  parentHash: undefined,
  tokenIds: Uint32Array.from(TOKENS),
  blockTokens: 4,
  ...(fields as object),
});

const cases: readonly { name: string; event: unknown; want: readonly KvEvent[] }[] = [
  {
    name: "array of vLLM 0.9: no medium",
    event: ["BlockStored", [7], null, TOKENS, 4, null],
    want: [stored({})],
  },
  {
    name: "array with all its fields",
    event: [
      "BlockStored",
      [DIGEST],
      HIGH,
      TOKENS,
      4,
      null,
      "GPU",
      null,
      [null],
      0,
      "full_attention",
      null,
      "LOCAL",
    ],
    want: [stored({ blockHashes: [DIGEST_TEXT], parentHash: HIGH })],
  },
  {
    name: "map",
    event: {
      type: "BlockStored",
      block_hashes: [HIGH],
      parent_block_hash: DIGEST,
      token_ids: TOKENS,
      block_size: 4,
      lora_id: null,
      medium: "GPU",
      session_id: "s",
    },
    want: [stored({ blockHashes: [HIGH], parentHash: DIGEST_TEXT })],
  },
  {
    name: "blocks that are in the CPU's memory as well",
    event: ["BlockStored", [7], null, [], 0, null, "CPU"],
    want: [
      stored({
        blockHashes: [7],
        tokenIds: new Uint32Array(0),
        blockTokens: 0,
        medium: "CPU",
      }),
    ],
  },
  {
    name: "blocks that left the CPU's memory",
    event: ["BlockRemoved", [7], "CPU"],
    want: [{ kind: "removed", blockHashes: [7], medium: "CPU" }],
  },
  {
    name: "map whose tag comes last",
    event: { block_hashes: [-5], type: "BlockRemoved" },
    want: [{ kind: "removed", blockHashes: [-5] }],
  },
  {
    name: "removed as an array",
    event: ["BlockRemoved", [DIGEST, 7, HIGH], "GPU"],
    want: [{ kind: "removed", blockHashes: [DIGEST_TEXT, 7, HIGH] }],
  },
  { name: "cleared as an array", event: ["AllBlocksCleared"], want: [{ kind: "cleared" }] },
  { name: "cleared as a map", event: { type: "AllBlocksCleared" }, want: [{ kind: "cleared" }] },
  {
    name: "salt behind the adapter in the first block's extra keys",
    event: [
      "BlockStored",
      [7, 8],
      null,
      [...TOKENS, ...TOKENS],
      4,
      1,
      "GPU",
      "sql",
      [["sql", "salt"], ["sql"]],
    ],
    want: [
      stored({
        blockHashes: [7, 8],
        tokenIds: Uint32Array.from([...TOKENS, ...TOKENS]),
        loraName: "sql",
        cacheSalt: "salt",
      }),
    ],
  },
  {
    name: "salt without adapter",
    event: ["BlockStored", [7], null, TOKENS, 4, null, "GPU", null, [["salt"]]],
    want: [stored({ cacheSalt: "salt" })],
  },
  {
    name: "a later block names its adapter",
    event: ["BlockStored", [7], 6, TOKENS, 4, 1, "GPU", "sql", [["sql"]]],
    want: [stored({ parentHash: 6, loraName: "sql" })],
  },
  {
    name: "SGLang: salt in a field of its own, pairs of tokens",
    event: {
      type: "BlockStored",
      block_hashes: [7],
      parent_block_hash: null,
      token_ids: [
        [21, 22],
        [22, 23],
      ],
      block_size: 2,
      cache_salt: "tenant",
    },
    want: [stored({ tokenIds: Uint32Array.from([21, 22]), blockTokens: 2, cacheSalt: "tenant" })],
  },
  {
    name: "blocks before an image are kept, the image's and later ones are not",
    event: [
      "BlockStored",
      [7, 8, 9],
      null,
      [...TOKENS, ...TOKENS, ...TOKENS],
      4,
      null,
      "GPU",
      null,
      [null, [["image", 3]], null],
    ],
    want: [stored({})],
  },
];
for (const { name, event, want } of cases) {
  test(`kv-event-frame: ${name}`, () => {
    for (const batch of [
      [1.5, [event]],
      [1.5, [event], 3],
      { ts: 1.5, events: [event], data_parallel_rank: null },
    ]) {
      const frame = decode(batch);
      assert.deepEqual(eventsOf(frame), want);
      assert.ok(frame.kind === "events" && frame.faultyCount === 0 && frame.ignoredCount === 0);
    }
  });
}

const ignored: readonly { name: string; event: unknown }[] = [
  { name: "blocks on a disk", event: ["BlockStored", [7], null, [], 0, null, "DISK"] },
  { name: "an adapter without a name", event: ["BlockStored", [7], null, TOKENS, 4, 2, "GPU"] },
  { name: "blocks that left another medium", event: ["BlockRemoved", [7], "CPU_PINNED"] },
  { name: "a kind of a later release", event: ["BlockMigrated", [7], "peer"] },
  { name: "a map of a later release", event: { type: "BlockMigrated", to: { deep: [[1]] } } },
  {
    name: "a prompt that begins with an image",
    event: ["BlockStored", [7], null, TOKENS, 4, null, "GPU", null, [[["image", 0]]]],
  },
];
for (const { name, event } of ignored) {
  test(`kv-event-frame: ignored: ${name}`, () => {
    const frame = decode([0, [event, ["AllBlocksCleared"]]]);
    assert.deepEqual(frame, {
      kind: "events",
      events: [{ kind: "cleared" }],
      ignoredCount: 1,
      faultyCount: 0,
    });
  });
}

test("kv-event-frame: a sliding window's group is left out, removals of it as well", () => {
  const decoder = new KvFrameDecoder();
  const window = { group_idx: 1, kv_cache_spec_kind: "sliding_window" };
  const batch = [
    0,
    [
      { type: "BlockStored", block_hashes: [], token_ids: TOKENS, block_size: 4, ...window },
      { type: "BlockRemoved", block_hashes: [7], group_idx: 1 },
      { type: "BlockRemoved", block_hashes: [8], group_idx: 0 },
    ],
  ];
  const frame = decoder.decode(encode(batch));
  assert.deepEqual(eventsOf(frame), [{ kind: "removed", blockHashes: [8] }]);
  assert.ok(frame.kind === "events" && frame.ignoredCount === 2);
});

const faulty: readonly { name: string; event: unknown }[] = [
  { name: "hashes that are no list", event: ["BlockStored", "nope", null, TOKENS, 4] },
  { name: "tokens that do not fill the blocks", event: ["BlockStored", [7], null, [1, 2, 3], 2] },
  { name: "no block size", event: { type: "BlockStored", block_hashes: [7], token_ids: TOKENS } },
  { name: "a token below 0", event: ["BlockStored", [7], null, [-1, 2], 2] },
  { name: "a token over 32 bits", event: ["BlockStored", [7], null, [2 ** 32, 2], 2] },
  { name: "a hash that is a fraction", event: ["BlockRemoved", [1.5]] },
  { name: "an empty digest", event: ["BlockRemoved", [new Uint8Array(0)]] },
  { name: "a digest of 65 bytes", event: ["BlockRemoved", [new Uint8Array(65)]] },
  { name: "removed without hashes", event: ["BlockRemoved"] },
  { name: "an event that is a number", event: 5 },
  { name: "an event without a tag", event: [] },
];
for (const { name, event } of faulty) {
  test(`kv-event-frame: faulty: ${name}`, () => {
    const frame = decode([0, [event, ["BlockRemoved", [1]]]]);
    assert.deepEqual(frame, {
      kind: "events",
      events: [{ kind: "removed", blockHashes: [1] }],
      ignoredCount: 0,
      faultyCount: 1,
    });
  });
}

/** Bytes by their hexadecimal digits. */
const bytes = (hex: string): Uint8Array => Buffer.from(hex, "hex");

for (const { name, payload, reason } of [
  { name: "nothing", payload: bytes(""), reason: "cut short" },
  { name: "a text", payload: encode("events"), reason: "not an array" },
  { name: "a batch without events", payload: encode([1.5]), reason: "no events" },
  {
    name: "bytes behind the batch",
    payload: bytes("92c0 90 00".replaceAll(" ", "")),
    reason: "bytes behind the batch",
  },
  {
    name: "an array longer than the message",
    payload: bytes("92c0ddffffffff"),
    reason: "cut short",
  },
  {
    name: "an unused byte",
    payload: bytes("93c090c1"),
    reason: "a byte that MessagePack does not use",
  },
  {
    name: "lists in lists",
    payload: bytes(`92${"91".repeat(40)}c0`),
    reason: "too deep",
  },
  {
    name: "more than 16 MiB",
    payload: new Uint8Array(16 * 1024 * 1024 + 1),
    reason: "longer than 16777216 bytes",
  },
]) {
  test(`kv-event-frame: malformed: ${name}`, () => {
    assert.deepEqual(new KvFrameDecoder().decode(payload), { kind: "malformed", reason });
  });
}

const digestOf = (letter: string): Buffer => createHash("sha256").update(letter).digest();
const golden = [
  {
    file: "vllm-v0.9",
    hash: (letter: string) => digestOf(letter).readBigUInt64BE(24),
    isOld: true,
  },
  { file: "vllm-array", hash: (letter: string) => digestOf(letter).readBigUInt64BE(24) },
  { file: "vllm-map", hash: (letter: string) => digestOf(letter).toString("latin1") },
];
for (const { file, hash, isOld = false } of golden) {
  test(`kv-event-frame: ${file}`, () => {
    const url = new URL(`../../test/golden/kv-events/${file}.msgpack`, import.meta.url);
    const frame = new KvFrameDecoder().decode(readFileSync(url));
    const prompt: KvEvent = {
      kind: "stored",
      blockHashes: [hash("a"), hash("b")],
      parentHash: undefined,
      tokenIds: Uint32Array.from([100, 101, 102, 103, 104, 105, 106, 107]),
      blockTokens: 4,
      ...(!isOld && { cacheSalt: "salt" }),
    };
    const child: KvEvent = {
      kind: "stored",
      blockHashes: [hash("c")],
      parentHash: hash("b"),
      tokenIds: Uint32Array.from([151_643, 151_644, 198, 4_294_967_295]),
      blockTokens: 4,
    };
    const removed: KvEvent = { kind: "removed", blockHashes: [hash("b")] };
    const offloaded = stored({
      blockHashes: [hash("z")],
      tokenIds: new Uint32Array(0),
      blockTokens: 0,
      medium: "CPU",
    });
    assert.deepEqual(frame, {
      kind: "events",
      events: [
        { kind: "cleared" },
        prompt,
        ...(isOld ? [] : [child]),
        removed,
        ...(isOld ? [] : [offloaded]),
      ],
      ignoredCount: isOld ? 0 : 2,
      faultyCount: 0,
    });
  });
}

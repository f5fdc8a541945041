import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { KvFrameDecoder } from "../../src/datalayer/kv-event-frame.ts";

const hash = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 32 }),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
const tokenIds = fc.array(fc.nat(200_000), { maxLength: 40 });
const event = fc.oneof(
  fc.tuple(
    fc.constant("BlockStored"),
    fc.array(hash, { maxLength: 4 }),
    fc.option(hash),
    tokenIds,
    fc.nat(16),
    fc.option(fc.nat(3)),
    fc.constantFrom("GPU", "CPU", null),
  ),
  fc.record({
    type: fc.constantFrom("BlockStored", "BlockRemoved", "AllBlocksCleared", "Other"),
    block_hashes: fc.array(hash, { maxLength: 4 }),
    token_ids: tokenIds,
    block_size: fc.nat(16),
    extra_keys: fc.array(fc.option(fc.array(fc.oneof(fc.string(), fc.nat(9)), { maxLength: 3 }))),
  }),
  fc.constant(["AllBlocksCleared"]),
);
const frames = fc
  .tuple(fc.double(), fc.array(event, { maxLength: 6 }), fc.option(fc.nat(7)))
  .map((batch) => encode(batch, { useBigInt64: true }));

test("kv-event-frame: a frame cut anywhere short is malformed, and never throws", () => {
  fc.assert(
    fc.property(frames, fc.nat(), (whole, cut) => {
      assert.equal(new KvFrameDecoder().decode(whole).kind, "events");
      const part = whole.subarray(0, cut % whole.length);
      assert.equal(new KvFrameDecoder().decode(part).kind, "malformed");
    }),
  );
});

test("kv-event-frame: garbled frames never throw, and give only whole blocks", () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.oneof(frames, fc.uint8Array({ maxLength: 300 })), damage, (whole, places) => {
      const garbled = Uint8Array.from(whole);
      if (garbled.length > 0) for (const [at, byte] of places) garbled[at % garbled.length] = byte;
      const frame = new KvFrameDecoder().decode(garbled);
      if (frame.kind === "malformed") return;
      for (const found of frame.events) {
        if (found.kind !== "stored") continue;
        // Blocks that are known already may come without their tokens.
        if (found.medium === "CPU" && found.tokenIds.length === 0) continue;
        assert.equal(found.tokenIds.length, found.blockHashes.length * found.blockTokens);
        assert.ok(found.blockHashes.length > 0 || found.tokenIds.length === 0);
      }
    }),
    { numRuns: 2000 },
  );
});

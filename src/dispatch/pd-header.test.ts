import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { PdOutcome } from "../core/exchange-report.ts";
import { formatPdHeader, parseKvHeader, parsePdHeader } from "./pd-header.ts";

const amount = fc.option(fc.nat(), { nil: null });
const facts = {
  outcome: fc.constantFrom("remote" as const, "local", "fallback", "refused"),
  reason: fc.constantFrom(null, "timeout", "no-kv-params"),
  prefillEndpoint: fc.constantFrom(null, "10.0.0.1:8000", "[::1]:8000"),
  prefillMs: fc.option(
    fc.nat().map((n) => n / 8),
    { nil: null },
  ),
  handleBlocks: amount,
  kvBytes: amount,
  kvMs: amount,
  kvHandshakeMs: amount,
  prefillCachedTokens: amount,
  decodeCachedTokens: amount,
};
const outcome: fc.Arbitrary<PdOutcome> = fc.record(facts, { noNullPrototype: true });

test("pd-header: what is formatted is parsed, whichever facts are known", () => {
  fc.assert(
    fc.property(outcome, (facts) => {
      assert.deepEqual(parsePdHeader(formatPdHeader(facts)), facts);
    }),
  );
});

test("pd-header: the order of fields and the trailer are told", () => {
  const header = formatPdHeader({ outcome: "fallback", reason: "timeout", handleBlocks: 2 });
  assert.equal(header, "outcome=fallback; reason=timeout; handle-blocks=2");
  assert.equal(parsePdHeader(header, "decode-cached-tokens=5")?.decodeCachedTokens, 5);
});

for (const header of [undefined, "", "outcome=other", "remote", "prefill-ms=3"]) {
  test(`pd-header: ${header} tells no outcome`, () => {
    assert.equal(parsePdHeader(header), undefined);
  });
}

test("pd-header: odd numbers are unknown, not zero", () => {
  for (const text of ["-1", "1e3", "NaN", "", "0x1", "9".repeat(16), "Infinity"]) {
    assert.equal(parsePdHeader(`outcome=local;prefill-ms=${text}`)?.prefillMs, null, text);
  }
  assert.equal(parsePdHeader("outcome=local;prefill-ms=0")?.prefillMs, 0);
});

test("pd-header: the engine's facts about its transfer", () => {
  assert.deepEqual(parseKvHeader("bytes=1024; ms=2.5; handshake-ms=0"), {
    kvBytes: 1024,
    kvMs: 2.5,
    kvHandshakeMs: 0,
  });
  assert.deepEqual(parseKvHeader(undefined), { kvBytes: null, kvMs: null, kvHandshakeMs: null });
});

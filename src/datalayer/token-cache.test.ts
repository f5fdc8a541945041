import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { TokenCache } from "./token-cache.ts";
import { segmentKeys } from "./token-source.ts";

const NONE = new Uint32Array(0);

/** Tokens of segments that are a token for each letter. */
function lettersOf(segments: readonly string[]): { tokens: Uint32Array; ends: Int32Array } {
  let end = 0;
  return {
    tokens: Uint32Array.from(segments.join(""), (letter) => letter.charCodeAt(0)),
    ends: Int32Array.from(segments, (segment) => {
      end += segment.length;
      return end;
    }),
  };
}

function keep(cache: TokenCache, segments: readonly string[]): void {
  cache.put(segmentKeys(segments).keys, NONE, { from: 0, ...lettersOf(segments) });
}

function found(cache: TokenCache, segments: readonly string[]): string | undefined {
  const known = cache.find(segmentKeys(segments).keys);
  return known === undefined
    ? undefined
    : `${known.segments}:${String.fromCharCode(...known.tokens)}`;
}

test("token-cache: a conversation's next turn finds the turns before it", () => {
  const cache = new TokenCache(100);
  keep(cache, ["sys", "question"]);
  assert.equal(found(cache, ["sys", "question", "answer", "next"]), "2:sysquestion");
  assert.equal(found(cache, ["sys", "other"]), "1:sys");
  assert.equal(found(cache, ["question"]), undefined);
  assert.equal(found(cache, []), undefined);
});

test("token-cache: a longer prompt takes the place of its own beginning", () => {
  const cache = new TokenCache(100);
  keep(cache, ["sys", "one"]);
  const segments = ["sys", "one", "two"];
  const { keys } = segmentKeys(segments);
  const prefix = cache.find(keys);
  assert.ok(prefix);
  cache.put(keys, prefix.tokens, { from: prefix.segments, ...lettersOf(["two"]) });
  assert.equal(cache.tokenCount, "sysonetwo".length);
  assert.equal(found(cache, segments), "3:sysonetwo");
  assert.equal(found(cache, ["sys", "one", "else"]), "2:sysone");
});

test("token-cache: where segments end may be unknown", () => {
  const cache = new TokenCache(100);
  const { keys } = segmentKeys(["a", "b"]);
  cache.put(keys, NONE, { from: 0, tokens: Uint32Array.of(1, 2, 3), ends: Int32Array.of(-1, 3) });
  assert.equal(cache.find(keys)?.tokens.length, 3);
  assert.equal(cache.find(keys.slice(0, 1)), undefined);
});

test("token-cache: the prompt that was used longest ago leaves first", () => {
  const cache = new TokenCache(12);
  keep(cache, ["aaaaa"]);
  keep(cache, ["bbbbb"]);
  found(cache, ["aaaaa"]);
  keep(cache, ["ccccc"]);
  assert.deepEqual(
    ["aaaaa", "bbbbb", "ccccc"].map((segment) => found(cache, [segment])),
    ["1:aaaaa", undefined, "1:ccccc"],
  );
});

test("token-cache: it stays within its bound, and what it finds is right", () => {
  const prompt = fc.array(fc.constantFrom("a", "bb", "ccc"), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(prompt, { maxLength: 40 }), fc.nat({ max: 30 }), (prompts, bound) => {
      const cache = new TokenCache(bound);
      for (const segments of prompts) {
        const { keys } = segmentKeys(segments);
        const prefix = cache.find(keys);
        const from = prefix?.segments ?? 0;
        assert.equal(
          String.fromCharCode(...(prefix?.tokens ?? [])),
          segments.slice(0, from).join(""),
        );
        const rest = segments.slice(from);
        if (rest.length > 0) cache.put(keys, prefix?.tokens ?? NONE, { from, ...lettersOf(rest) });
        assert.ok(cache.tokenCount <= bound);
      }
    }),
  );
});

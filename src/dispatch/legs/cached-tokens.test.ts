import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EventUsageRewriter, rewriteCachedTokens } from "./cached-tokens.ts";

const cases: [string, number | null, string, number | null][] = [
  [
    '{"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":8}}}',
    3,
    '{"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":3}}}',
    8,
  ],
  [
    '{"usage":{"input_tokens":9,"output_tokens":1}}',
    3,
    '{"usage":{"input_tokens":9,"output_tokens":1}}',
    null,
  ],
  [
    '{"id":9007199254740993,"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":8,"x":1}}}',
    3,
    '{"id":9007199254740993,"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":3,"x":1}}}',
    8,
  ],
  [
    '{"usage":{"prompt_tokens":9}}',
    3,
    '{"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":3}}}',
    null,
  ],
  [
    '{"usage":{"prompt_tokens_details":null}}',
    0,
    '{"usage":{"prompt_tokens_details":{"cached_tokens":0}}}',
    null,
  ],
  [
    '{"usage":{"prompt_tokens_details":{"cached_tokens":8}}}',
    null,
    '{"usage":{"prompt_tokens_details":{"cached_tokens":8}}}',
    8,
  ],
  ['{"usage":null}', 3, '{"usage":null}', null],
  ['{"a":{"usage":{}}}', 3, '{"a":{"usage":{}}}', null],
  ["not json", 3, "not json", null],
];
for (const [json, cachedTokens, want, decodeCachedTokens] of cases) {
  test(`cached-tokens: ${json} with ${cachedTokens}`, () => {
    const rewritten = rewriteCachedTokens(Buffer.from(json), cachedTokens);
    assert.equal(Buffer.from(rewritten.bytes).toString(), want);
    assert.equal(rewritten.decodeCachedTokens, decodeCachedTokens);
  });
}

const PLAIN = 'data: {"choices":[{"delta":{"content":"é"}}],"usage":null}\n\n';
const USAGE =
  'data: {"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":8}}}\r\n\r\n';

test("cached-tokens: only the usage chunk of a stream changes, wherever it is cut", () => {
  const stream = Buffer.from(`${PLAIN}: ping\n${USAGE}data: [DONE]\n\ntail`);
  const want = stream.toString().replace('"cached_tokens":8', '"cached_tokens":3');
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length)), (cuts) => {
      const rewriter = new EventUsageRewriter(3);
      const at = [0, ...cuts.sort((a, b) => a - b)];
      const out = at.map((start, i) => rewriter.push(stream.subarray(start, at[i + 1])));
      assert.equal(Buffer.concat([...out, rewriter.flush()]).toString(), want);
      assert.equal(rewriter.decodeCachedTokens, 8);
    }),
  );
});

test("cached-tokens: whole lines leave at once, a line too long to look at leaves in pieces", () => {
  const rewriter = new EventUsageRewriter(3);
  assert.equal(rewriter.push(Buffer.from(PLAIN)).toString(), PLAIN);
  const long = Buffer.alloc(300 * 1024, 0x61);
  assert.equal(rewriter.push(long).length, long.length);
  assert.equal(rewriter.push(Buffer.from("b\n")).toString(), "b\n");
});

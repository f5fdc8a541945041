import assert from "node:assert/strict";
import { test } from "node:test";
import { shellWords } from "./shell-words.ts";

const SPLIT: readonly (readonly [text: string, words: readonly string[]])[] = [
  ["", []],
  ["  \n\t ", []],
  ["--a 1", ["--a", "1"]],
  ["  --a\n  1 ", ["--a", "1"]],
  [`--c '{"a":"b c"}'`, ["--c", '{"a":"b c"}']],
  ['--c "{\\"a\\": 1}"', ["--c", '{"a": 1}']],
  ["--c='a b'\"c d\"e", ["--c=a bc de"]],
  ["a\\ b", ["a b"]],
  ["'' \"\"", ["", ""]],
  ["'a\\b'", ["a\\b"]],
  ['"a\\b"', ["a\\b"]],
  ['"\\$x \\` \\\\"', ["$x ` \\"]],
  ["a\\\nb", ["ab"]],
  ['"a\\\nb"', ["ab"]],
  [`'it'\\''s'`, ["it's"]],
];

for (const [text, words] of SPLIT) {
  test(`shell words: ${JSON.stringify(text)}`, () =>
    assert.deepEqual(shellWords(text), { kind: "words", words }));
}

const OPEN: readonly (readonly [text: string, quote: string])[] = [
  ["--c '{", "'"],
  ['--c "a', '"'],
  ['"a\\"', '"'],
  ["a\\", "\\"],
];

for (const [text, quote] of OPEN) {
  test(`shell words: ${JSON.stringify(text)} is unterminated`, () =>
    assert.deepEqual(shellWords(text), { kind: "unterminated", quote }));
}

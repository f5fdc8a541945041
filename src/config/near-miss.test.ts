import assert from "node:assert/strict";
import { test } from "node:test";
import { nearMiss } from "./near-miss.ts";

const TYPES = ["queue-scorer", "kv-cache-scorer", "prefix-cache-scorer", "x"];
const CASES: readonly (readonly [word: string, suggestion: string])[] = [
  ["queue-score", "queue-scorer"],
  ["queu-scorer", "queue-scorer"],
  ["kvcache-scorer", "kv-cache-scorer"],
  ["prefix-cache-scorer", "prefix-cache-scorer"],
  ["telepathy", ""],
  ["y", ""],
  ["", ""],
  ["q".repeat(100_000), ""],
];

for (const [word, suggestion] of CASES) {
  test(`near miss: ${word.slice(0, 30)}`, () => {
    assert.equal(nearMiss(word, TYPES), suggestion === "" ? "" : `; did you mean ${suggestion}?`);
  });
}

test("near miss: nothing to compare with", () => {
  assert.equal(nearMiss("queue-scorer", []), "");
});

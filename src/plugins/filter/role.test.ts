import assert from "node:assert/strict";
import test from "node:test";
import { rejectionsOf } from "../../../test/fixtures/plugin-bench.ts";
import { decodeFilter, prefillFilter } from "./role.ts";

/** Label value, kept by decode-filter, kept by prefill-filter (llm-d 0.7 and later). */
const ROLES: readonly [role: string | undefined, decode: boolean, prefill: boolean][] = [
  [undefined, true, false],
  ["decode", true, false],
  ["prefill", false, true],
  ["encode", false, false],
  ["both", true, true],
  ["prefill-decode", true, true],
  ["encode-prefill", false, true],
  ["encode-prefill-decode", true, true],
  ["", false, false],
  ["Decode", false, false],
  ["router", false, false],
];
const endpoints = ROLES.map(([role]) => (role === undefined ? {} : { role }));

for (const [filter, column] of [
  [decodeFilter, 1],
  [prefillFilter, 2],
] as const) {
  for (const [index, row] of ROLES.entries()) {
    test(`${filter.type}: role ${row[0] ?? "missing"} is ${row[column] ? "kept" : "dropped"}`, () => {
      assert.equal(rejectionsOf(filter, endpoints).has(index), !row[column]);
    });
  }

  test(`${filter.type}: each drop has its reason`, () => {
    for (const [index, reason] of rejectionsOf(filter, endpoints)) {
      const [role] = ROLES[index] ?? [];
      assert.equal(reason, role === undefined ? "no role label" : `role is ${role}`);
    }
  });

  test(`${filter.type}: nobody to look at is nobody dropped`, () => {
    assert.equal(rejectionsOf(filter, []).size, 0);
  });
}

import assert from "node:assert/strict";
import test from "node:test";
import { rejectionsOf } from "../../../test/fixtures/plugin-bench.ts";
import { decodeFilter, encodeFilter, prefillFilter } from "./role.ts";

/** Label value, kept by decode-filter, by prefill-filter, by encode-filter (llm-d 0.7 and later). */
const ROLES: readonly [
  role: string | undefined,
  decode: boolean,
  prefill: boolean,
  encode: boolean,
][] = [
  [undefined, true, false, false],
  ["decode", true, false, false],
  ["prefill", false, true, false],
  ["encode", false, false, true],
  ["both", true, true, false],
  ["prefill-decode", true, true, false],
  ["encode-prefill", false, true, true],
  ["encode-prefill-decode", true, true, true],
  ["", false, false, false],
  ["Decode", false, false, false],
  ["router", false, false, false],
];
const endpoints = ROLES.map(([role]) => (role === undefined ? {} : { role }));

for (const [filter, column] of [
  [decodeFilter, 1],
  [prefillFilter, 2],
  [encodeFilter, 3],
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

test("role filters, trap 11: no label decodes and never prefills, both does either", () => {
  const pool = [{}, { role: "both" }];
  assert.deepEqual([...rejectionsOf(decodeFilter, pool).keys()], []);
  assert.deepEqual([...rejectionsOf(prefillFilter, pool).keys()], [0]);
});

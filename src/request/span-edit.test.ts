import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readJsonMembers } from "./json-members.ts";
import { applyEdits, editMembers } from "./span-edit.ts";

function edited(text: string, changes: Record<string, string | undefined>): string {
  const bytes = new TextEncoder().encode(text);
  const object = readJsonMembers(bytes);
  assert.ok(object, text);
  const edits = editMembers(object, new Map(Object.entries(changes)));
  return new TextDecoder().decode(applyEdits(bytes, edits));
}

const cases: [string, Record<string, string | undefined>, string][] = [
  ['{"a":1,"b":2}', {}, '{"a":1,"b":2}'],
  ['{"a":1,"b":2}', { a: "9" }, '{"a":9,"b":2}'],
  ['{"a":1,"b":2}', { a: undefined }, '{"b":2}'],
  ['{"a":1,"b":2}', { b: undefined }, '{"a":1}'],
  ['{"a":1, "b":2 ,"c":3}', { b: undefined }, '{"a":1 ,"c":3}'],
  ['{"a":1,"b":2,"c":3}', { a: undefined, b: undefined }, '{"c":3}'],
  ['{"a":1,"b":2,"c":3}', { a: undefined, b: undefined, c: undefined }, "{}"],
  ['{"a":1,"b":2}', { a: undefined, b: undefined, x: "[]" }, '{"x":[]}'],
  ['{"a":1,"b":2}', { b: undefined, x: "0" }, '{"a":1,"x":0}'],
  ["{}", { x: "0", y: "1" }, '{"x":0,"y":1}'],
  [" { } ", { x: "0" }, ' {"x":0 } '],
  ['{"a":1,"b":2,"a":3}', { a: "9" }, '{"b":2,"a":9}'],
  ['{"a":1,"b":2,"\\u0061":3}', { a: undefined }, '{"b":2}'],
  ['{"z":9007199254740993,"a":1}', { a: "2" }, '{"z":9007199254740993,"a":2}'],
  ['{"é":"ü","a":1}', { a: '"ß"' }, '{"é":"ü","a":"ß"}'],
];
for (const [text, changes, want] of cases) {
  test(`span-edit: ${text} with ${[...Object.keys(changes)].join(",")} gives ${want}`, () => {
    assert.equal(edited(text, changes), want);
  });
}

test("span-edit: edits equal setting and deleting keys, whatever the duplicates", () => {
  const key = fc.constantFrom("a", "b", "c", "d");
  const value = fc.constantFrom("1", '"}"', "[1,2]", '{"n":null}');
  fc.assert(
    fc.property(
      fc.array(fc.tuple(key, value)),
      fc.dictionary(key, fc.option(value, { nil: undefined })),
      (members, changes) => {
        const text = `{${members.map(([k, v]) => `"${k}" : ${v}`).join(" , ")}}`;
        const want = JSON.parse(text) as Record<string, unknown>;
        for (const [k, v] of Object.entries(changes)) {
          if (v === undefined) delete want[k];
          else want[k] = JSON.parse(v);
        }
        const got = edited(text, changes);
        assert.deepEqual(JSON.parse(got), want);
        for (const k of Object.keys(changes)) {
          assert.ok(got.split(`"${k}"`).length - 1 <= 1, got);
        }
      },
    ),
  );
});

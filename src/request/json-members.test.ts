import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { findJsonMember, readJsonMembers } from "./json-members.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array, start: number, end: number): string =>
  new TextDecoder().decode(bytes.subarray(start, end));

test("json-members: spans of keys and values", () => {
  const bytes = bytesOf(' { "a" : 1 ,"é\\u0041":[{"b":"}"},2], "c":{} } ');
  const object = readJsonMembers(bytes);
  assert.deepEqual(
    object?.members.map((m) => [m.key, textOf(bytes, m.valueStart, m.valueEnd)]),
    [
      ["a", "1"],
      ["éA", '[{"b":"}"},2]'],
      ["c", "{}"],
    ],
  );
  assert.equal(
    textOf(bytes, object?.members[0]?.keyStart ?? 0, object?.members[0]?.keyEnd ?? 0),
    '"a"',
  );
});

test("json-members: the last duplicate counts and all are reported", () => {
  const bytes = bytesOf('{"a":1,"b":2,"\\u0061":3}');
  const object = readJsonMembers(bytes);
  assert.ok(object);
  assert.equal(object.members.filter((m) => m.key === "a").length, 2);
  const found = findJsonMember(object, "a");
  assert.ok(found);
  assert.equal(textOf(bytes, found.valueStart, found.valueEnd), "3");
});

test("json-members: a nested object is read at its span", () => {
  const bytes = bytesOf('{"usage":{"prompt_tokens":7},"x":1}');
  const top = readJsonMembers(bytes);
  const usage = top && findJsonMember(top, "usage");
  const nested = usage && readJsonMembers(bytes, usage.valueStart, usage.valueEnd);
  assert.deepEqual(
    nested?.members.map((m) => [m.key, textOf(bytes, m.valueStart, m.valueEnd)]),
    [["prompt_tokens", "7"]],
  );
});

const malformed = [
  "",
  " ",
  "[]",
  "1",
  "{",
  "{}}",
  "{} x",
  '{"a"}',
  '{"a":}',
  '{"a":1,}',
  "{,}",
  '{"a":1 "b":2}',
  '{"a":01}',
  '{"a":1.}',
  '{"a":.5}',
  '{"a":1e}',
  '{"a":1e+}',
  '{"a":+1}',
  '{"a":-}',
  '{"a":tru}',
  '{"a":"\\x"}',
  '{"a":"\\u00g0"}',
  '{"a":"\\u00',
  '{"a":"\n"}',
  '{"a":"',
  '{"a":[1,]}',
  '{"a":[1',
  "{'a':1}",
  '{"a":NaN}',
  '{"a":nullx}',
  "\ufeff{}",
];
for (const text of malformed) {
  test(`json-members: refuses ${JSON.stringify(text)}`, () => {
    assert.equal(readJsonMembers(bytesOf(text)), undefined);
  });
}

test("json-members: nesting is bounded", () => {
  const nested = (depth: number): Uint8Array =>
    bytesOf(`{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`);
  assert.ok(readJsonMembers(nested(500)));
  assert.equal(readJsonMembers(nested(600)), undefined);
  assert.equal(readJsonMembers(nested(1_000_000)), undefined);
});

test("json-members: agrees with JSON.parse on objects and on damaged objects", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue()),
      fc.nat(),
      fc.constantFrom("", ",", '"', "}", "0", "\\", " ", "\u0001"),
      (object, position, junk) => {
        const text = JSON.stringify(object);
        const at = position % (text.length + 1);
        for (const candidate of [text, text.slice(0, at) + junk + text.slice(at + 1)]) {
          const bytes = bytesOf(candidate);
          const read = readJsonMembers(bytes);
          const parsed = parseObject(new TextDecoder().decode(bytes));
          assert.equal(read !== undefined, parsed !== undefined, candidate);
          for (const key of Object.keys(parsed ?? {})) {
            const member = read && findJsonMember(read, key);
            assert.ok(member);
            const value: unknown = JSON.parse(textOf(bytes, member.valueStart, member.valueEnd));
            assert.deepEqual(value, parsed?.[key]);
          }
        }
      },
    ),
  );
});

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { readToolChoice } from "./tool-choice.ts";

function argumentsFor(parameters: unknown): unknown {
  const call = readToolChoice({
    tool_choice: "required",
    tools: [{ type: "function", function: { name: "f", parameters } }],
  });
  assert.ok(call !== undefined && "arguments" in call);
  return JSON.parse(call.arguments);
}

test("tool-choice: arguments hold what the schema requires", () => {
  const cases: readonly [unknown, unknown][] = [
    [undefined, {}],
    [{ type: "object", properties: { a: { type: "string" } } }, {}],
    [{ required: ["a"] }, { a: "text" }],
    [{ required: ["a", 3], properties: { a: { type: "string" } } }, { a: "text" }],
    [{ required: ["a"], properties: { a: { enum: ["x", "y"] } } }, { a: "x" }],
    [{ required: ["a"], properties: { a: { const: false } } }, { a: false }],
    [{ required: ["a"], properties: { a: { type: "integer", minimum: 4 } } }, { a: 4 }],
    [{ required: ["a"], properties: { a: { type: ["null", "string"] } } }, { a: null }],
    [{ required: ["a"], properties: { a: { type: "array" } } }, { a: [] }],
    [
      {
        required: ["a"],
        properties: { a: { required: ["b"], properties: { b: { type: "boolean" } } } },
      },
      { a: { b: true } },
    ],
  ];
  for (const [schema, want] of cases) assert.deepEqual(argumentsFor(schema), want);
});

test("tool-choice: a schema that nests without end gives a finite value", () => {
  const schema: Record<string, unknown> = { required: ["a"] };
  schema["properties"] = { a: schema };
  assert.ok(JSON.stringify(argumentsFor(schema)).length < 200);
});

test("tool-choice: only `required` and a named function force a call", () => {
  const tools = [{ type: "function", function: { name: "f" } }];
  for (const choice of [undefined, null, "auto", "none"]) {
    assert.equal(readToolChoice({ tool_choice: choice, tools }), undefined);
  }
  const other = readToolChoice({ tool_choice: { function: { name: "g" } }, tools });
  assert.ok(other !== undefined && "status" in other);
  assert.match(other.message, /does not match any/);
});

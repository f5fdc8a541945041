import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ConfigFault } from "../core/config-error.ts";
import type { SourceNode } from "./source-node.ts";
import { parseSource } from "./source-text.ts";

function parse(text: string): {
  root: SourceNode | undefined;
  faults: ConfigFault[];
  count: number;
} {
  const faults: ConfigFault[] = [];
  const documents = parseSource({ text, file: "f.yaml" }, faults);
  return { root: documents[0], faults, count: documents.length };
}

const POSITIONS: readonly {
  readonly text: string;
  readonly path: readonly (string | number)[];
  readonly at: readonly [number, number];
}[] = [
  { text: "a: 1\nb:\n  c: 2\n", path: ["b", "c"], at: [3, 3] },
  { text: "a: 1\nb:\n  c: 2\n", path: ["b", "missing", "deep"], at: [2, 1] },
  { text: "- x\n-   y\n", path: [1], at: [2, 5] },
  { text: "- x\n", path: [7], at: [1, 1] },
  { text: '{"a": {"b": [1, 2]}}', path: ["a", "b", 1], at: [1, 17] },
  { text: "a: &x\n  k: 1\nb: *x\n", path: ["b", "k"], at: [2, 3] },
  { text: "1: {x: 2}\n", path: ["1", "x"], at: [1, 5] },
];

for (const { text, path, at } of POSITIONS) {
  test(`source: position of ${JSON.stringify(path)} in ${JSON.stringify(text)}`, () => {
    assert.deepEqual(parse(text).root?.positionOf(path), {
      file: "f.yaml",
      line: at[0],
      column: at[1],
    });
  });
}

const EMBEDDED: readonly {
  readonly name: string;
  readonly text: string;
  readonly skip?: number;
  readonly at: readonly [number, number];
}[] = [
  { name: "literal", text: "args:\n  - |\n    a: 1\n    key: 2\n", at: [4, 5] },
  {
    name: "literal with indentation indicator and blank first line",
    text: "args:\n  - |2\n\n    a: 1\n    key: 2\n",
    at: [5, 5],
  },
  {
    name: "literal indented beyond its indicator",
    text: "args:\n  - |1\n     a: 1\n     key: 2\n",
    at: [4, 6],
  },
  {
    name: "literal with carriage returns",
    text: "args:\r\n  - |\r\n    # c\r\n    key: 2\r\n",
    at: [4, 5],
  },
  {
    name: "literal after a flag",
    text: "args:\n  - |-\n    --c={key: 2,\n     b: 1}\n",
    skip: 4,
    at: [3, 10],
  },
  { name: "folded", text: "args:\n  - >\n    {key: 2}\n", at: [2, 5] },
  { name: "quoted", text: 'args:\n  - "a: 1\\nkey: 2"\n', at: [2, 5] },
];

for (const { name, text, skip = 0, at } of EMBEDDED) {
  test(`source: positions in a ${name} scalar are those of the outer file`, () => {
    const node = parse(text).root?.at("args", 0);
    const [inner] = node?.embedded(String(node.value), skip) ?? [];
    assert.equal(inner?.at("key")?.value, 2);
    assert.deepEqual(inner?.positionOf(["key"]), { file: "f.yaml", line: at[0], column: at[1] });
  });
}

test("source: a fault in an embedded text is told at its place in the outer file", () => {
  const { root, faults } = parse("args:\n  - |\n    a: 1\n    a: 2\n");
  const node = root?.at("args", 0);
  assert.deepEqual(node?.embedded(String(node.value), 0), []);
  assert.deepEqual(faults, [
    { path: "", message: "duplicate key", position: { file: "f.yaml", line: 4, column: 5 } },
  ]);
});

test("source: documents without content are none", () => {
  assert.equal(parse("a: 1\n---\n").count, 1);
  assert.equal(parse("a: 1\n---\nb: 2\n").count, 2);
  assert.equal(parse("").count, 0);
});

const billionLaughs = Array.from(
  { length: 9 },
  (_, level) =>
    `l${level}: &l${level} [${
      level === 0
        ? "x"
        : Array(10)
            .fill(`*l${level - 1}`)
            .join(",")
    }]`,
).join("\n");

const REFUSED: readonly {
  readonly name: string;
  readonly text: string;
  readonly message: RegExp;
}[] = [
  { name: "a text that is too long", text: `a: ${"x".repeat(1_572_864)}`, message: /longer than/ },
  { name: "deep nesting", text: `${"[".repeat(65)}${"]".repeat(65)}`, message: /deeper than 64/ },
  { name: "very deep nesting", text: "[".repeat(50_000), message: /./ },
  { name: "an alias inside its anchor", text: "a: &a {b: *a}", message: /deeper than 64/ },
  { name: "an alias without anchor", text: "a: *a", message: /Unresolved alias/ },
  { name: "aliases that multiply", text: billionLaughs, message: /Excessive alias count/ },
  { name: "an unknown tag", text: "a: !!python/object x", message: /./ },
  { name: "keys that are lists", text: "? [a]\n: 1\n", message: /./ },
];

for (const { name, text, message } of REFUSED) {
  test(`source: ${name} is one fault`, () => {
    const { root, faults } = parse(text);
    assert.equal(root, undefined);
    assert.equal(faults.length, 1);
    assert.match(faults[0]?.message ?? "", message);
  });
}

test("source: any text gives documents or faults, never a throw, and positions inside the text", () => {
  const piece = fc.constantFrom(
    "a",
    ":",
    " ",
    "\n",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "|",
    "---\n",
    "'",
    '"',
    "#",
    "!",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const text = pieces.join("");
      const { faults } = parse(text);
      const lineCount = text.split("\n").length;
      for (const { position } of faults) {
        assert.ok(position !== undefined && position.line >= 1 && position.line <= lineCount);
      }
    }),
    { numRuns: 500 },
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { renderDiagnostics } from "./render-diagnostics.ts";
import type { Diagnostic } from "./rule.ts";

function at(line: number, column: number): Diagnostic {
  const position = { file: "f", line, column };
  return { rule: "C5", severity: "warning", message: "m", why: "w", fix: "x", position };
}

function render(text: string, diagnostics: readonly Diagnostic[], hasColours = false): string {
  return renderDiagnostics(diagnostics, {
    files: [{ file: "f", text }],
    target: "switchyard",
    hasColours,
  });
}

test("render: place, source line, caret, reasons, counts", () => {
  assert.equal(
    render("a:\n  b: 1\r\n", [at(2, 3)]),
    [
      "f:2:3: warning[C5]: m",
      "    b: 1",
      "    ^",
      "  why: w",
      "  fix: x",
      "",
      "0 errors, 1 warning, 0 advice, 0 notes in 1 file for switchyard",
    ].join("\n"),
  );
});

test("render: a rule's reasons stand once", () => {
  const text = render("a\nb\n", [at(1, 1), at(2, 1)]);
  assert.equal(text.split("why: ").length, 2);
  assert.equal(text.split("warning[C5]").length, 3);
});

test("render: tabs before the column keep the caret below it", () => {
  assert.ok(render("\tx: 1", [at(1, 2)]).includes("\n  \tx: 1\n  \t^\n"));
});

test("render: of a very long line only the surroundings are shown", () => {
  const text = render(`${"x".repeat(5000)}!${"y".repeat(5000)}`, [at(1, 5001)]);
  const [, line = "", caret = ""] = text.split("\n");
  assert.ok(line.length <= 162);
  assert.equal(line[caret.indexOf("^")], "!");
});

test("render: a finding without a place, or beyond the text, has no excerpt", () => {
  const { position: _, ...rest } = at(1, 1);
  const text = render("a", [{ ...rest, position: undefined }, at(9, 1)]);
  assert.ok(text.startsWith("warning[C5]: m\n  why: w\n"));
  assert.ok(!text.includes("^"));
});

test("render: colours are escape sequences around the severity alone", () => {
  const text = render("a", [at(1, 1)], true);
  assert.ok(text.includes("\u001b[1;33mwarning[C5]\u001b[0m: m"));
  assert.ok(!render("a", [at(1, 1)]).includes("\u001b"));
});

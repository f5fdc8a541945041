import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { textTable, wrapText } from "./text-table.ts";

test("text-table: columns are as wide as their cells, numbers to the right", () => {
  const text = textTable({
    title: "T",
    header: ["name", "n"],
    rows: [
      ["a", "5"],
      ["long name", "1,000"],
    ],
  });
  assert.equal(text, "T\n\nname           n\n─────────  ─────\na              5\nlong name  1,000");
});

test("text-table: no line is wider than asked for and no word is lost", () => {
  const word = fc.stringMatching(/^[a-z]{1,30}$/);
  const cell = fc.array(word, { maxLength: 20 }).map((words) => words.join(" "));
  const row = fc.tuple(cell, cell, cell);
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 5 }), (rows) => {
      const text = textTable({ title: "T", header: ["a", "b", "c"], rows }, 60);
      const letters = (part: string): string =>
        [...part]
          .filter((l) => /[a-z]/.test(l))
          .toSorted()
          .join("");
      assert.ok(text.split("\n").every((line) => line.length <= 60));
      assert.equal(letters(text), letters(`abc${rows.flat().join("")}`));
    }),
  );
});

test("text-table: a word that is too long is cut after a comma", () => {
  assert.deepEqual(wrapText("rc,sm,self,cuda_copy", 12), ["rc,sm,self,", "cuda_copy"]);
  assert.deepEqual(wrapText("abcdef", 4), ["abcd", "ef"]);
});

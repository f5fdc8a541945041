import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { latestSeries, readSeries as readBytes, type Series } from "./prometheus-text.ts";

function readSeries(text: string, name: string): readonly Series[] {
  return readBytes(Buffer.from(text), name);
}

const lines: readonly (readonly [name: string, text: string, want: readonly unknown[]])[] = [
  ["no labels", "m 1", [[{}, 1, undefined]]],
  ["a timestamp", "m 1.5 1700000000000", [[{}, 1.5, 1_700_000_000_000]]],
  ["an exponent", "m 1.13e+09", [[{}, 1.13e9, undefined]]],
  ["labels", 'm{a="x",b="y"} 2', [[{ a: "x", b: "y" }, 2, undefined]]],
  [
    "empty labels and a trailing comma",
    'm{} 1\nm{a="x",} 2',
    [
      [{}, 1, undefined],
      [{ a: "x" }, 2, undefined],
    ],
  ],
  ["blanks", '  m { a = "x" , b="y" }   3  ', []],
  [
    "blanks inside the braces",
    '\t m{ a = "x" , b="y" }   3  ',
    [[{ a: "x", b: "y" }, 3, undefined]],
  ],
  ["escapes", 'm{a="q\\"b\\\\n\\nend}"} 4', [[{ a: 'q"b\\n\nend}' }, 4, undefined]]],
  [
    "carriage returns",
    "m 1\r\nm 2\r\n",
    [
      [{}, 1, undefined],
      [{}, 2, undefined],
    ],
  ],
  [
    "infinities",
    "m +Inf\nm -Inf\nm Inf",
    [
      [{}, Infinity, undefined],
      [{}, -Infinity, undefined],
      [{}, Infinity, undefined],
    ],
  ],
  ["not a number", "m NaN", [[{}, Number.NaN, undefined]]],
  ["an exemplar", 'm{a="x"} 5 # {trace="1"} 0.5', [[{ a: "x" }, 5, undefined]]],
  ["comments", "# HELP m 1\n# TYPE m gauge\n#m 3", []],
  ["longer names", "m_total 1\nmm 2\nxm 3\nm:x 4", []],
  ["the name as a value", 'other{a="m 1"} 2\nother{a="\\nm 1"} 2', []],
  [
    "malformed lines",
    'm\nm{a="x" 1\nm{a=x} 1\nm{a="x"} one\nm 0x10\nm{a="x\nm 7',
    [[{}, 7, undefined]],
  ],
  ["lines that do not stand together", "m 1\nother 2\nm 3", [[{}, 1, undefined]]],
  ["nothing", "", []],
];

for (const [name, text, want] of lines) {
  test(`prometheus-text: ${name}`, () => {
    const read = readSeries(text, "m").map(({ labels, value, timestamp }) => [
      labels,
      value,
      timestamp,
    ]);
    assert.deepEqual(read, want);
  });
}

test("prometheus-text: of several series the latest timestamp counts, without one the last", () => {
  const dated = readSeries('m{e="0"} 1 30\nm{e="1"} 2 40\nm{e="2"} 3 20', "m");
  assert.equal(latestSeries(dated)?.value, 2);
  assert.equal(latestSeries(dated, { e: "2" })?.value, 3);
  assert.equal(latestSeries(dated, { e: "9" }), undefined);
  assert.equal(latestSeries(readSeries("m 1\nm 2", "m"))?.value, 2);
  assert.equal(latestSeries([]), undefined);
});

test("prometheus-text: any label value survives a round trip between other lines", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.double(), (label, value) => {
      const escaped = label.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n");
      const shown = Number.isNaN(value) ? "NaN" : String(value).replace("Infinity", "Inf");
      const text = `# TYPE m gauge\nnoise{m="m 1"} 3\nm{a="${escaped}"} ${shown}\nm_sum 4\n`;
      assert.deepEqual(readSeries(text, "m"), [
        { labels: { a: label }, value: value === 0 ? Number(shown) : value, timestamp: undefined },
      ]);
    }),
  );
});

test("prometheus-text: garbage is tolerated", () => {
  fc.assert(
    fc.property(fc.string(), (noise) => {
      assert.ok(Array.isArray(readSeries(`m${noise}\nm{${noise}`, "m")));
    }),
  );
});

import type { Table } from "./table.ts";

/** Columns of a terminal that nobody has widened. */
export const TEXT_WIDTH = 100;

/** A table as aligned text of at most `width` columns; long cells go on in lines below. */
export function textTable(table: Table, width: number = TEXT_WIDTH): string {
  const { title, header, rows, remark } = table;
  if (rows.length === 0) return [title, "", ...wrapText(remark ?? "", width)].join("\n");
  const widths = columnWidths([header, ...rows], width);
  const isNumeric = header.map((_, column) =>
    rows.every((row) => NUMBER.test(row[column] ?? "") || row[column] === ABSENT),
  );
  const lay = (row: readonly string[]): readonly string[] => {
    const cells = row.map((cell, column) => wrapText(cell, widths[column] ?? 0));
    const height = Math.max(...cells.map((lines) => lines.length));
    return Array.from({ length: height }, (_, line) =>
      cells
        .map((lines, column) => {
          const [text, room] = [lines[line] ?? "", widths[column] ?? 0];
          return isNumeric[column] === true ? text.padStart(room) : text.padEnd(room);
        })
        .join(GAP)
        .trimEnd(),
    );
  };
  const laid = rows.map(lay);
  // Rows of several lines need air between them, else nobody sees where one ends.
  const isTall = laid.some((lines) => lines.length > 1);
  const body = laid.map((lines) => lines.join("\n")).join(isTall ? "\n\n" : "\n");
  const rule = widths.map((room) => "─".repeat(room)).join(GAP);
  const parts = [title, "", ...lay(header), rule, body];
  if (remark !== undefined) parts.push("", ...wrapText(remark, width));
  return parts.join("\n");
}

/** Breaks a text into lines of at most `width` columns; words that are longer are cut. */
export function wrapText(text: string, width: number): readonly string[] {
  return text.split("\n").flatMap((paragraph) => {
    const lines: string[] = [];
    let line = "";
    for (const word of paragraph.split(" ").flatMap((long) => pieces(long, width))) {
      if (line !== "" && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else {
        line = line === "" ? word : `${line} ${word}`;
      }
    }
    return [...lines, line];
  });
}

/** What stands in a cell that has no value. */
export const ABSENT = "–";

const GAP = "  ";
/** Right-aligned: a number, perhaps with its unit's sign. */
const NUMBER = /^[-+±]?[\d.,]+(?:[ \u00a0]?[%×])?$/;
/** The first column takes no more than this while others need room. */
const FIRST_COLUMN_MAX = 28;

function columnWidths(rows: readonly (readonly string[])[], width: number): readonly number[] {
  const count = rows[0]?.length ?? 0;
  const natural = Array.from({ length: count }, (_, column) =>
    Math.max(...rows.flatMap((row) => (row[column] ?? "").split("\n").map((line) => line.length))),
  );
  let room = width - GAP.length * (count - 1);
  if (natural.reduce((sum, one) => sum + one, 0) <= room) return natural;
  const widths: number[] = [];
  widths[0] = Math.min(natural[0] ?? 0, FIRST_COLUMN_MAX);
  room -= widths[0];
  // The narrowest columns first: what they leave goes to the wide ones.
  const open = natural.map((_, column) => column).slice(1);
  open.sort((one, other) => (natural[one] ?? 0) - (natural[other] ?? 0));
  for (const [index, column] of open.entries()) {
    widths[column] = Math.min(natural[column] ?? 0, Math.floor(room / (open.length - index)));
    room -= widths[column] ?? 0;
  }
  return widths;
}

/** Cuts a word that no line can hold, after a comma or slash where there is one. */
function pieces(word: string, width: number): readonly string[] {
  if (word.length <= width) return [word];
  const cut = Math.max(word.lastIndexOf(",", width - 1), word.lastIndexOf("/", width - 1));
  const at = cut > 0 ? cut + 1 : width;
  return [word.slice(0, at), ...pieces(word.slice(at), width)];
}

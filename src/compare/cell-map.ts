import { drawing, element, label } from "./svg.ts";

/** Coloured cells in rows and columns. */
export interface CellMap {
  readonly title: string;
  readonly columns: readonly string[];
  readonly columnTitle: string;
  readonly rows: readonly string[];
  /** What stands in a cell; undefined leaves it empty. */
  readonly cellAt: (row: number, column: number) => MapCell | undefined;
}

/** One cell; `strength` from 0 to 1 is how deep its colour is. */
export interface MapCell {
  readonly className: string;
  readonly strength: number;
  readonly text: string;
}

const CELL_WIDTH = 84;
const CELL_HEIGHT = 30;
const LETTER_WIDTH = 7;
const TOP = 46;

/** A map such as who is better where, or how busy which endpoint was. */
export function cellMap({ title, columns, columnTitle, rows, cellAt }: CellMap): string {
  const left = 12 + LETTER_WIDTH * Math.max(...rows.map((row) => row.length), 0);
  const width = Math.max(left + columns.length * CELL_WIDTH, title.length * LETTER_WIDTH + 12);
  const height = TOP + rows.length * CELL_HEIGHT + 8;
  const heads = columns.map((column, index) =>
    label(left + (index + 0.5) * CELL_WIDTH, TOP - 6, column, { "text-anchor": "middle" }),
  );
  const body = rows.flatMap((row, rowIndex) => {
    const y = TOP + rowIndex * CELL_HEIGHT;
    const cells = columns.flatMap((_, columnIndex) => {
      const cell = cellAt(rowIndex, columnIndex);
      if (cell === undefined) return [];
      const x = left + columnIndex * CELL_WIDTH;
      return [
        element("rect", {
          class: `cell ${cell.className}`,
          x: x + 1,
          y: y + 1,
          width: CELL_WIDTH - 2,
          height: CELL_HEIGHT - 2,
          rx: 3,
          // Opacity needs finer steps than pixels do.
          "fill-opacity": (0.12 + 0.4 * cell.strength).toFixed(2),
        }),
        label(x + CELL_WIDTH / 2, y + CELL_HEIGHT / 2 + 4, cell.text, { "text-anchor": "middle" }),
      ];
    });
    return [label(left - 8, y + CELL_HEIGHT / 2 + 4, row, { "text-anchor": "end" }), ...cells];
  });
  return drawing(
    { width, height, title: `${title}, by ${columnTitle}` },
    label(0, 14, title, { class: "title" }),
    label(left - 8, TOP - 6, columnTitle, { "text-anchor": "end" }),
    ...heads,
    ...body,
  );
}

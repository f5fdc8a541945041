import { drawing, element, label } from "./svg.ts";

/** Lines over one axis. */
export interface LineChart {
  readonly title: string;
  readonly xTitle: string;
  readonly xText: (x: number) => string;
  readonly yText: (y: number) => string;
  readonly series: readonly ChartSeries[];
  /** A limit that is drawn across. */
  readonly limit?: number;
}

/** One line; `className` gives its colour. */
export interface ChartSeries {
  readonly className: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

const WIDTH = 300;
const HEIGHT = 190;
const LEFT = 54;
const RIGHT = 12;
const TOP = 26;
const BOTTOM = 36;

/** A chart with a logarithmic axis upwards, since latencies span decades. */
export function lineChart(chart: LineChart): string {
  const { series, limit, title } = chart;
  const points = series.flatMap((one) => one.points);
  const xs = [...new Set(points.map(({ x }) => x))].toSorted((one, other) => one - other);
  const ys = points.map(({ y }) => y);
  const shown = limit === undefined ? ys : [...ys, limit];
  if (xs.length === 0) return "";
  const [low, high] = decades(shown);
  const xOf = scale([xs[0] ?? 0, xs.at(-1) ?? 1], [LEFT, WIDTH - RIGHT]);
  const yScale = scale([Math.log10(low), Math.log10(high)], [HEIGHT - BOTTOM, TOP]);
  const yOf = (y: number): number => yScale(Math.log10(y));
  const grid = ticks(low, high).flatMap((y) => [
    element("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: yOf(y), y2: yOf(y) }),
    label(LEFT - 6, yOf(y) + 4, chart.yText(y), { "text-anchor": "end" }),
  ]);
  const axis = xs.map((x) =>
    label(xOf(x), HEIGHT - BOTTOM + 16, chart.xText(x), { "text-anchor": "middle" }),
  );
  const lines = series.flatMap(({ className, points: own }) => [
    element("polyline", {
      class: `line ${className}`,
      points: own.map(({ x, y }) => `${xOf(x).toFixed(1)},${yOf(y).toFixed(1)}`).join(" "),
    }),
    ...own.map(({ x, y }) =>
      element("circle", { class: `dot ${className}`, cx: xOf(x), cy: yOf(y), r: 3 }),
    ),
  ]);
  const limitLine =
    limit === undefined
      ? []
      : [
          element("line", {
            class: "limit",
            x1: LEFT,
            x2: WIDTH - RIGHT,
            y1: yOf(limit),
            y2: yOf(limit),
          }),
        ];
  return drawing(
    { width: WIDTH, height: HEIGHT, title },
    label(LEFT, 16, title, { class: "title" }),
    ...grid,
    ...axis,
    label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, chart.xTitle, { "text-anchor": "middle" }),
    ...limitLine,
    ...lines,
  );
}

/** The range of the values, widened to whole powers of ten or their thirds. */
function decades(values: readonly number[]): readonly [number, number] {
  const positive = values.filter((value) => value > 0);
  const low = Math.min(...positive);
  const high = Math.max(...positive);
  const steps = ticks(10 ** Math.floor(Math.log10(low)), 10 ** Math.ceil(Math.log10(high) + 1e-9));
  const below = steps.findLast((step) => step <= low) ?? low;
  const above = steps.find((step) => step >= high) ?? high;
  return above > below ? [below, above] : [below, below * 10];
}

/** 1, 3, 10, 30, … within the range. */
function ticks(low: number, high: number): readonly number[] {
  const found: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const step of [1, 3]) {
      const value = Number((step * 10 ** power).toPrecision(1));
      if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
    }
  }
  return found;
}

function scale(
  [from, to]: readonly [number, number],
  [start, end]: readonly [number, number],
): (value: number) => number {
  return (value) =>
    to === from ? (start + end) / 2 : start + ((value - from) / (to - from)) * (end - start);
}

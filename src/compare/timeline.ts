import { drawing, element, label } from "./svg.ts";

/** One bar of stretches that follow each other. */
export interface TimelineBar {
  readonly label: string;
  readonly stretches: readonly {
    readonly className: string;
    readonly name: string;
    readonly ms: number;
  }[];
}

const WIDTH = 720;
const RIGHT = 90;
const BAR = 26;
const ROW = 58;
/** A name wider than its stretch is left to the legend below the bar. */
const LETTER_WIDTH = 7;

/** Bars under one another on one axis of time. */
export function timeline(title: string, bars: readonly TimelineBar[]): string {
  const totals = bars.map(({ stretches }) => stretches.reduce((sum, { ms }) => sum + ms, 0));
  const left = 20 + LETTER_WIDTH * Math.max(...bars.map((bar) => bar.label.length));
  const perMs = (WIDTH - left - RIGHT) / Math.max(...totals, 1e-9);
  const rows = bars.flatMap((bar, index) => {
    const y = 30 + index * ROW;
    let x = left;
    const drawn = bar.stretches.flatMap(({ className, name, ms }) => {
      const width = ms * perMs;
      const start = x;
      x += width;
      if (ms <= 0) return [];
      const rect = element("rect", {
        class: `cell ${className}`,
        x: start,
        y,
        width: Math.max(width, 1.5),
        height: BAR,
      });
      const fits = width > name.length * LETTER_WIDTH;
      return fits
        ? [rect, label(start + width / 2, y + BAR / 2 + 4, name, { "text-anchor": "middle" })]
        : [rect];
    });
    const legend = bar.stretches
      .filter(({ ms }) => ms > 0)
      .map(({ name, ms }) => `${name} ${milliseconds(ms)}`)
      .join(", ");
    return [
      label(left - 10, y + BAR / 2 + 4, bar.label, { "text-anchor": "end" }),
      ...drawn,
      label(x + 8, y + BAR / 2 + 4, milliseconds(totals[index] ?? 0)),
      label(left, y + BAR + 15, legend, { class: "soft" }),
    ];
  });
  const height = 30 + bars.length * ROW;
  return drawing({ width: WIDTH, height, title }, label(0, 14, title, { class: "title" }), ...rows);
}

/** Milliseconds as precise as a reader needs them. */
export function milliseconds(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(0)} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return ms >= 10 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(1)} ms`;
}

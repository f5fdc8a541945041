import type { EndpointReport } from "../sim/report.ts";
import { cellMap, type MapCell } from "./cell-map.ts";
import type { AloneRequest, ComparisonReport } from "./comparison.ts";
import { type ChartSeries, lineChart } from "./line-chart.ts";
import { better, METRICS, type MetricName, pointAt, type SweepResult } from "./sweep-result.ts";
import { percent } from "./sweep-tables.ts";
import { milliseconds, timeline } from "./timeline.ts";

/** TTFT and ITL against load, a pair of charts for each prompt length. */
export function latencyCharts({ sweep, slo }: ComparisonReport): readonly string[] {
  if (sweep === null) return [];
  const { promptTokens, loadRatios } = sweep.shape;
  return (["ttftMsP95", "tpotMsP95"] as const).flatMap((metric) =>
    promptTokens.map((tokens) =>
      lineChart({
        title: `${METRICS[metric].title}, ${tokens.toLocaleString("en-US")} tokens`,
        xTitle: "load",
        xText: percent,
        yText: milliseconds,
        limit: metric === "ttftMsP95" ? slo.ttftMs : slo.tpotMs,
        series: (["left", "right"] as const).map(
          (variant): ChartSeries => ({
            className: variant,
            points: loadRatios.flatMap((x) => {
              const y = pointAt(sweep, variant, tokens, x)?.figures[metric]?.mean;
              return y === undefined || y <= 0 ? [] : [{ x, y }];
            }),
          }),
        ),
      }),
    ),
  );
}

/** Who is better where: a map for each figure. */
export function crossoverMaps({ sweep, left, right }: ComparisonReport): readonly string[] {
  if (sweep === null) return [];
  const { promptTokens, loadRatios } = sweep.shape;
  const loads = loadRatios.toReversed();
  return (["goodRatio", "tpotMsP95", "ttftMsP95"] as const).map((metric) =>
    cellMap({
      title: `${METRICS[metric].title}: ${left} / ${right}`,
      columnTitle: "prompt tokens",
      columns: promptTokens.map((tokens) => tokens.toLocaleString("en-US")),
      rows: loads.map((load) => `${percent(load)} load`),
      cellAt: (row, column) => mapCell(sweep, metric, promptTokens[column] ?? 0, loads[row] ?? 0),
    }),
  );
}

/** Where the time of one request goes while nothing else runs. */
export function aloneTimeline(alone: readonly AloneRequest[]): string {
  const [first] = alone;
  if (first === undefined) return "";
  const title = `One request of ${first.promptTokens.toLocaleString("en-US")} prompt tokens, alone`;
  const bars = alone.map(({ label, prefillMs, transferMs, decodeMs }) => ({
    label,
    stretches: [
      { className: "prefill", name: "prefill", ms: prefillMs },
      { className: "transfer", name: "transfer", ms: transferMs },
      { className: "decode", name: "decode", ms: decodeMs },
    ],
  }));
  return timeline(title, bars);
}

/** How busy each endpoint was, and what share of its role's work it got. */
export function endpointHeat({ measured, left, right }: ComparisonReport): readonly string[] {
  if (measured === null) return [];
  return (["left", "right"] as const).map((side) => {
    const endpoints = measured.endpoints[side];
    return cellMap({
      title: side === "left" ? left : right,
      columnTitle: "endpoint",
      columns: HEAT_COLUMNS.map(([title]) => title),
      rows: endpoints.map(({ endpoint }) => endpoint),
      cellAt: (row, column) => {
        const endpoint = endpoints[row];
        const read = HEAT_COLUMNS[column]?.[1];
        if (endpoint === undefined || read === undefined) return undefined;
        const ratio = read(endpoint);
        return { className: "heat", strength: Math.min(1, ratio), text: percent(ratio) };
      },
    });
  });
}

const HEAT_COLUMNS: readonly (readonly [string, (endpoint: EndpointReport) => number])[] = [
  ["GPU busy", ({ busyRatio }) => busyRatio],
  ["share", ({ shareRatio }) => shareRatio],
  ["KV peak", ({ kvCacheUsagePeak }) => kvCacheUsagePeak],
  ["cache hits", ({ cacheHitRatio }) => cacheHitRatio],
];

function mapCell(
  sweep: SweepResult,
  metric: MetricName,
  tokens: number,
  load: number,
): MapCell | undefined {
  const [ours, theirs] = (["left", "right"] as const).map(
    (variant) => pointAt(sweep, variant, tokens, load)?.figures,
  );
  const winner = better(metric, ours, theirs);
  const [our, their] = [ours?.[metric]?.mean, theirs?.[metric]?.mean];
  if (winner === undefined || our === undefined || their === undefined) return undefined;
  const shown = [our, their].map((value) =>
    metric === "goodRatio" ? String(Math.round(value * 100)) : short(value),
  );
  // A factor of four, or all requests against none, is as deep as the colour gets.
  const strength =
    metric === "goodRatio" ? Math.abs(our - their) : Math.abs(Math.log(our / their)) / Math.log(4);
  return {
    className: winner === "equal" ? "even" : winner,
    strength: winner === "equal" ? 0 : Math.min(1, strength),
    text: shown.join(" / "),
  };
}

/** Milliseconds without their unit; seconds with it. */
function short(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)}s`;
  return ms >= 100 ? ms.toFixed(0) : ms.toFixed(1);
}

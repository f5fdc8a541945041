import type { ServiceReport } from "../sim/report.ts";
import type { CellResult } from "./cell.ts";
import { type BetterRange, betterRanges, type Difference } from "./crossover.ts";
import { type Comparison, type Estimate, estimate, larger } from "./estimate.ts";
import type { Capacities, SweepCell, SweepShape } from "./sweep-plan.ts";

/** What a variant did at one place, over the seeds; undefined where no request was answered. */
export interface Figures {
  readonly ttftMsP95: Estimate | undefined;
  readonly tpotMsP95: Estimate | undefined;
  readonly e2eMsP95: Estimate | undefined;
  /** Share of the requests that met both limits. */
  readonly goodRatio: Estimate | undefined;
  readonly outputTokensPerSecond: Estimate | undefined;
  /** From wanting the KV cache to having it, median. */
  readonly transferMsP50: Estimate | undefined;
}

/** A figure's name, and which way is better. */
export const METRICS = {
  ttftMsP95: { title: "TTFT p95", isHigherBetter: false, tolerance: 0.02 },
  tpotMsP95: { title: "ITL p95", isHigherBetter: false, tolerance: 0.02 },
  goodRatio: { title: "Within limits", isHigherBetter: true, tolerance: 0.01 },
} as const;
export type MetricName = keyof typeof METRICS;

/** One place of the sweep. */
export interface SweepPoint {
  readonly variant: string;
  readonly promptTokens: number;
  readonly loadRatio: number;
  readonly perSecond: number;
  readonly figures: Figures;
}

/** Folded results of a sweep; places without a result are absent. */
export interface SweepResult {
  readonly shape: SweepShape;
  /** Requests a second that the reference serves, by prompt length. */
  readonly capacities: readonly { readonly promptTokens: number; readonly perSecond: number }[];
  readonly points: readonly SweepPoint[];
}

/** Capacities from the results of the capacity cells. */
export function readCapacities(
  cells: readonly SweepCell[],
  results: ReadonlyMap<string, ServiceReport>,
): Capacities {
  return new Map(
    cells.flatMap(({ key, promptTokens }) => {
      const perSecond = results.get(key)?.requestsPerSecond ?? 0;
      return perSecond > 0 ? [[promptTokens, perSecond]] : [];
    }),
  );
}

/** Folds results over the seeds. */
export function foldSweep(
  shape: SweepShape,
  capacities: Capacities,
  cells: readonly SweepCell[],
  results: ReadonlyMap<string, CellResult["report"]>,
): SweepResult {
  const groups = new Map<string, { cell: SweepCell; reports: ServiceReport[] }>();
  for (const cell of cells) {
    const report = results.get(cell.key);
    if (report === undefined) continue;
    const { variant, promptTokens, loadRatio } = cell;
    const place = JSON.stringify([variant, promptTokens, loadRatio]);
    const group = groups.get(place) ?? { cell, reports: [] };
    groups.set(place, group);
    group.reports.push(report);
  }
  return {
    shape,
    capacities: [...capacities].map(([promptTokens, perSecond]) => ({ promptTokens, perSecond })),
    points: [...groups.values()].map(({ cell, reports }) => ({
      variant: cell.variant,
      promptTokens: cell.promptTokens,
      loadRatio: cell.loadRatio,
      perSecond: cell.perSecond,
      figures: figuresOf(reports),
    })),
  };
}

/** Looks a place up. */
export function pointAt(
  { points }: SweepResult,
  variant: string,
  promptTokens: number,
  loadRatio: number,
): SweepPoint | undefined {
  return points.find(
    (point) =>
      point.variant === variant &&
      point.promptTokens === promptTokens &&
      point.loadRatio === loadRatio,
  );
}

/** Which of two is better in a figure; `undefined` where one of them has none. */
export function better(
  metric: MetricName,
  left: Figures | undefined,
  right: Figures | undefined,
): Comparison | undefined {
  const [ours, theirs] = [left?.[metric], right?.[metric]];
  if (ours === undefined || theirs === undefined) return undefined;
  const { isHigherBetter, tolerance } = METRICS[metric];
  const found = larger(ours, theirs, tolerance);
  if (isHigherBetter || found === "equal") return found;
  return found === "left" ? "right" : "left";
}

/** Stretches of prompt lengths on which `challenger` is better than `holder` at one load. */
export function rangesOf(
  sweep: SweepResult,
  metric: MetricName,
  contest: { readonly holder: string; readonly challenger: string; readonly loadRatio: number },
): readonly BetterRange[] {
  const { holder, challenger, loadRatio } = contest;
  const differences = sweep.shape.promptTokens.flatMap((promptTokens): readonly Difference[] => {
    const ours = pointAt(sweep, holder, promptTokens, loadRatio)?.figures;
    const theirs = pointAt(sweep, challenger, promptTokens, loadRatio)?.figures;
    const winner = better(metric, ours, theirs);
    const [our, their] = [ours?.[metric]?.mean, theirs?.[metric]?.mean];
    if (winner === undefined || our === undefined || their === undefined) return [];
    return [{ x: promptTokens, by: winner === "equal" ? 0 : advantage(metric, our, their) }];
  });
  return betterRanges(differences);
}

/** How much better the second is, on a scale that does not depend on the unit; above 0 it is better. */
function advantage(metric: MetricName, holder: number, challenger: number): number {
  if (METRICS[metric].isHigherBetter) return challenger - holder;
  return Math.log(holder / challenger);
}

function figuresOf(reports: readonly ServiceReport[]): Figures {
  const over = (read: (report: ServiceReport) => number | undefined): Estimate | undefined =>
    estimate(reports.map(read).filter((value) => value !== undefined));
  return {
    ttftMsP95: over(({ ttftMs }) => ttftMs?.p95),
    tpotMsP95: over(({ tpotMs }) => tpotMs?.p95),
    e2eMsP95: over(({ e2eMs }) => e2eMs?.p95),
    goodRatio: over(({ goodput }) => goodput?.ratio),
    outputTokensPerSecond: over((report) => report.outputTokensPerSecond),
    transferMsP50: over(({ kvTransfer }) => kvTransfer.ms?.p50),
  };
}

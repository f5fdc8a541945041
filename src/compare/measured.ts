import type { Distribution } from "../sim/quantiles.ts";
import type { EndpointReport, ServiceReport } from "../sim/report.ts";
import type { Cell, SideName } from "./cell.ts";
import { type Estimate, estimate, larger, spread } from "./estimate.ts";
import type { Pair } from "./side.ts";
import { totalGpus } from "./side.ts";
import type { Table } from "./table.ts";
import { ABSENT } from "./text-table.ts";

/** Both services under the traffic that was asked for. */
export interface Measured {
  readonly workload: string;
  readonly seeds: readonly number[];
  readonly rows: readonly MeasuredRow[];
  /** Endpoints of each side, of the first seed. */
  readonly endpoints: Readonly<Record<SideName, readonly EndpointReport[]>>;
}

/** One figure of both sides; undefined where a side has none. */
export interface MeasuredRow {
  readonly title: string;
  readonly unit: Unit;
  readonly left: Estimate | undefined;
  readonly right: Estimate | undefined;
}

/** How a figure is printed. */
export type Unit = "ms" | "per second" | "%" | "count" | "GB" | "×" | "USD";

/** Cells of the measured part: both sides with the same seeds, so with the same requests. */
export function measuredCells(seeds: readonly number[], terms: Cell["terms"]): readonly Cell[] {
  return seeds.flatMap((seed) =>
    (["left", "right"] as const).map((side) => ({
      key: measuredKey(side, seed),
      side,
      terms,
      variation: {},
      traffic: { kind: "asked" } as const,
      seed,
    })),
  );
}

/** Folds what there is; undefined unless both sides have a result. */
export function foldMeasured(
  pair: Pair,
  facts: { readonly seeds: readonly number[]; readonly usdPerGpuHour: number | undefined },
  results: ReadonlyMap<string, ServiceReport>,
): Measured | undefined {
  const of = (side: SideName): readonly ServiceReport[] =>
    facts.seeds.flatMap((seed) => results.get(measuredKey(side, seed)) ?? []);
  const [left, right] = [of("left"), of("right")];
  const [first, second] = [left[0], right[0]];
  if (first === undefined || second === undefined) return undefined;
  const rows = FIGURES.map(({ read, ...words }): MeasuredRow => {
    const over = (reports: readonly ServiceReport[]): Estimate | undefined =>
      estimate(reports.map(read).filter((value) => value !== undefined));
    return { ...words, left: over(left), right: over(right) };
  });
  const { usdPerGpuHour } = facts;
  return {
    workload: first.workload,
    seeds: facts.seeds.slice(0, Math.min(left.length, right.length)),
    rows: usdPerGpuHour === undefined ? rows : [...rows, costRow(pair, usdPerGpuHour, left, right)],
    endpoints: { left: first.endpoints, right: second.endpoints },
  };
}

/** The figures with their spread, and how the right side differs. */
export function measuredTable(pair: Pair, { workload, seeds, rows }: Measured): Table {
  return {
    title: `Measured: the same requests to both (${workload})`,
    header: ["", pair.left.label, pair.right.label, `${pair.right.label} is`],
    rows: rows
      .filter(({ left, right }) => left !== undefined || right !== undefined)
      .map((row) => [
        row.title,
        figureText(row.left, row.unit),
        figureText(row.right, row.unit),
        differenceText(row),
      ]),
    remark: `Simulated; means over ${seeds.length} ${seeds.length === 1 ? "seed" : "seeds"} with half of their spread. Both sides got the same requests at the same times; where clients have sessions, later turns wait for earlier answers. ITL is a request's mean time for each token after its first. Utilisation is time with a step under way.`,
  };
}

/** A figure with its unit and half of its spread over the seeds. */
export function figureText(value: Estimate | undefined, unit: Unit): string {
  if (value === undefined) return ABSENT;
  const scale = unit === "%" ? 100 : 1;
  const [mean, half] = [value.mean * scale, spread(value) * scale];
  const digits = digitsFor(mean, unit);
  const shown = mean.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  const error = half.toFixed(digits);
  const suffix = UNIT_SUFFIX[unit];
  return Number(error) === 0 ? `${shown}${suffix}` : `${shown} ± ${error}${suffix}`;
}

interface FigureDefinition {
  readonly title: string;
  readonly unit: Unit;
  readonly read: (report: ServiceReport) => number | undefined;
}

const QUANTILES = ["p50", "p95", "p99"] as const;

const FIGURES: readonly FigureDefinition[] = [
  ...quantiles("TTFT", ({ ttftMs }) => ttftMs),
  ...quantiles("ITL", ({ tpotMs }) => tpotMs),
  ...quantiles("E2E", ({ e2eMs }) => e2eMs),
  { title: "Output tokens", unit: "per second", read: (report) => report.outputTokensPerSecond },
  { title: "Requests answered", unit: "per second", read: (report) => report.requestsPerSecond },
  { title: "Within both limits", unit: "%", read: ({ goodput }) => goodput?.ratio },
  { title: "Goodput", unit: "per second", read: ({ goodput }) => goodput?.requestsPerSecond },
  { title: "Requests", unit: "count", read: ({ requests }) => requests.arrived },
  { title: "Rejected", unit: "count", read: ({ requests }) => sum(requests.rejected) },
  { title: "Failed", unit: "count", read: ({ requests }) => sum(requests.failed) },
  { title: "Prompt tokens from cache", unit: "%", read: ({ cacheHitRatio }) => cacheHitRatio },
  { title: "KV cache moved", unit: "GB", read: ({ kvTransfer }) => kvTransfer.bytes / 1e9 },
  { title: "KV transfer p50", unit: "ms", read: ({ kvTransfer }) => kvTransfer.ms?.p50 },
  {
    title: "GPU utilisation",
    unit: "%",
    read: ({ endpoints }) => meanOf(endpoints.map(({ busyRatio }) => busyRatio)),
  },
  {
    title: "Busiest endpoint / even share",
    unit: "×",
    read: ({ endpoints }) => imbalance(endpoints),
  },
  { title: "Preemptions", unit: "count", read: ({ preemptions }) => preemptions },
];

const UNIT_SUFFIX: Readonly<Record<Unit, string>> = {
  ms: "\u00a0ms",
  "per second": "\u00a0/s",
  "%": "\u00a0%",
  count: "",
  GB: "\u00a0GB",
  "×": "\u00a0×",
  USD: "\u00a0USD",
};

function measuredKey(side: SideName, seed: number): string {
  return `measured/${side}/${seed}`;
}

function quantiles(
  name: string,
  read: (report: ServiceReport) => Distribution | null,
): readonly FigureDefinition[] {
  return QUANTILES.map((quantile) => ({
    title: `${name} ${quantile}`,
    unit: "ms",
    read: (report) => read(report)?.[quantile],
  }));
}

function costRow(
  { left, right }: Pair,
  usdPerGpuHour: number,
  leftReports: readonly ServiceReport[],
  rightReports: readonly ServiceReport[],
): MeasuredRow {
  const cost = (gpus: number, reports: readonly ServiceReport[]): Estimate | undefined =>
    estimate(
      reports
        .filter(({ outputTokensPerSecond }) => outputTokensPerSecond > 0)
        .map((report) => (usdPerGpuHour * gpus * 1e6) / 3600 / report.outputTokensPerSecond),
    );
  return {
    title: "Cost of a million output tokens",
    unit: "USD",
    left: cost(totalGpus(left.service), leftReports),
    right: cost(totalGpus(right.service), rightReports),
  };
}

function differenceText({ left, right, unit }: MeasuredRow): string {
  if (left === undefined || right === undefined) return ABSENT;
  if (larger(left, right, 0) === "equal") return "the same";
  if (unit === "%") {
    const points = (right.mean - left.mean) * 100;
    return `${points > 0 ? "+" : "−"}${Math.abs(points).toFixed(1)} points`;
  }
  if (left.mean === 0) return right.mean > 0 ? "more" : "the same";
  if (right.mean === 0) return "none";
  const ratio = right.mean / left.mean;
  if (ratio >= 2) return `${ratio.toFixed(1)} times`;
  const percent = (ratio - 1) * 100;
  return `${percent > 0 ? "+" : "−"}${Math.abs(percent).toFixed(0)} %`;
}

function digitsFor(value: number, unit: Unit): number {
  if (unit === "count") return Number.isInteger(value) ? 0 : 1;
  if (unit === "USD" || unit === "×") return 2;
  return Math.abs(value) >= 100 ? 0 : 1;
}

/** Share of the busiest endpoint of a role, relative to an even one; the worse of the roles. */
function imbalance(endpoints: readonly EndpointReport[]): number | undefined {
  const roles = [...new Set(endpoints.map(({ role }) => role))];
  const worst = roles.map((role) => {
    const shares = endpoints.filter((one) => one.role === role).map(({ shareRatio }) => shareRatio);
    return Math.max(...shares) * shares.length;
  });
  return worst.length === 0 ? undefined : Math.max(...worst);
}

function meanOf(values: readonly number[]): number | undefined {
  return values.length === 0
    ? undefined
    : values.reduce((all, one) => all + one, 0) / values.length;
}

function sum(counts: Readonly<Partial<Record<string, number>>>): number {
  return Object.values(counts).reduce<number>((all, count) => all + (count ?? 0), 0);
}

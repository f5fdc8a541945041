import process from "node:process";
import { parseArgs } from "node:util";
import { formatTable } from "../../src/app/table.ts";

/** What a figure is promised to be. */
export interface Budget {
  readonly limit: number;
  readonly isAtLeast: boolean;
  /** Holds for the ratio to the peer instead of the value. */
  readonly isRatio: boolean;
}

/** One figure of a benchmark. */
export interface Measure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly budget?: Budget;
  /** Who was measured in the same run, and the value over the peer's. */
  readonly peer?: string;
  readonly ratio?: number;
  /** Why the figure is to be read with care. */
  readonly remark?: string;
}

/** How a program of the suite is to run. */
export interface BenchRun {
  /** A minute's look instead of figures to quote. */
  readonly isShort: boolean;
  /** The numbers that were given, whose meaning each program says at its head. */
  readonly numbers: readonly number[];
}

export function atMost(limit: number): Budget {
  return { limit, isAtLeast: false, isRatio: false };
}

export function atLeast(limit: number): Budget {
  return { limit, isAtLeast: true, isRatio: false };
}

/** Undefined without a budget; a figure that could not be measured misses it. */
export function isMet({ value, ratio, budget }: Measure): boolean | undefined {
  if (budget === undefined) return undefined;
  const judged = budget.isRatio ? (ratio ?? Number.NaN) : value;
  return budget.isAtLeast ? judged >= budget.limit : judged <= budget.limit;
}

/** Empty without a budget. */
export function verdict(measure: Measure): "met" | "MISSED" | "" {
  if (measure.budget === undefined) return "";
  return isMet(measure) === true ? "met" : "MISSED";
}

export function measureTable(measures: readonly Measure[]): string {
  const rows = measures.map((measure) => {
    const { name, value, unit, peer, ratio, remark } = measure;
    return [
      name,
      significant(value),
      unit,
      ratio === undefined ? (peer ?? "") : `${ratio.toFixed(2)}x ${peer}`,
      budgetText(measure),
      verdict(measure),
      remark ?? "",
    ];
  });
  return formatTable(["figure", "value", "unit", "peer", "budget", "", ""], rows);
}

/** Runs a program by itself: its figures go to the suite that started it, or to the terminal. */
export async function runProgram(
  measure: (run: BenchRun) => readonly Measure[] | Promise<readonly Measure[]>,
): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { short: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  publish(await measure({ isShort: values.short, numbers: positionals.map(Number) }));
}

export function publish(measures: readonly Measure[]): void {
  if (process.send === undefined) console.log(`\n${measureTable(measures)}`);
  else process.send(measures);
}

/** The limit with its direction; empty without a budget. */
export function budgetText({ budget }: Measure): string {
  if (budget === undefined) return "";
  return `${budget.isAtLeast ? "≥" : "≤"} ${budget.limit}${budget.isRatio ? "x" : ""}`;
}

export function significant(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

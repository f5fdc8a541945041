import type { ServiceReport, Slo } from "../sim/report.ts";
import { type Answer, answerOf } from "./answer.ts";
import type { Cell } from "./cell.ts";
import { comparisonTables } from "./comparison-tables.ts";
import { type Confounder, confounderTable, findConfounders } from "./confounders.ts";
import { foldMeasured, type Measured, measuredTable } from "./measured.ts";
import { type RequestFlow, requestFlow } from "./request-flow.ts";
import type { Pair } from "./side.ts";
import type { Capacities, SweepCell, SweepShape, SweepSubject } from "./sweep-plan.ts";
import { foldSweep, type SweepResult } from "./sweep-result.ts";
import { sweepTables } from "./sweep-tables.ts";
import type { Table } from "./table.ts";

/** A finished comparison: plain JSON, the same for the same files, traffic and seeds. */
export interface ComparisonReport {
  readonly left: string;
  readonly right: string;
  /** False when it was interrupted: the figures are those that were there. */
  readonly isComplete: boolean;
  readonly slo: Slo;
  /** What was made equal for the measured part; empty as written. */
  readonly normalised: readonly string[];
  /** What was made equal for the sweep, which always compares on equal terms. */
  readonly sweptOn: readonly string[];
  readonly confounders: readonly Confounder[];
  readonly confounderTable: Table;
  readonly tables: readonly Table[];
  readonly flows: readonly RequestFlow[];
  readonly measured: Measured | null;
  readonly measuredTable: Table | null;
  readonly sweep: SweepResult | null;
  readonly sweepTables: readonly Table[];
  readonly answer: Answer | null;
  readonly alone: readonly AloneRequest[];
}

/** One request with the engines to itself: where its time goes, medians. */
export interface AloneRequest {
  readonly label: string;
  readonly promptTokens: number;
  /** Until the first token, without the transfer. */
  readonly prefillMs: number;
  readonly transferMs: number;
  readonly decodeMs: number;
}

/** What a comparison is made of. */
export interface ComparisonParts {
  /** As the files have it. */
  readonly written: Pair;
  /** What the measured part ran. */
  readonly measuredPair: Pair;
  readonly normalised: readonly string[];
  readonly sweptOn: readonly string[];
  readonly slo: Slo;
  readonly seeds: readonly number[];
  readonly usdPerGpuHour: number | undefined;
  readonly sweep: SweepParts | undefined;
  readonly results: ReadonlyMap<string, ServiceReport>;
  readonly isComplete: boolean;
}

/** What the sweep was asked, and on whom. */
export interface SweepParts {
  readonly shape: SweepShape;
  readonly subject: SweepSubject;
  readonly capacities: Capacities;
  readonly cells: readonly SweepCell[];
}

/** Folds everything that was found. */
export function foldComparison(parts: ComparisonParts): ComparisonReport {
  const { written, measuredPair, results, slo } = parts;
  const confounders = findConfounders(measuredPair);
  const measured = foldMeasured(measuredPair, parts, results);
  const sweep =
    parts.sweep === undefined
      ? undefined
      : foldSweep(parts.sweep.shape, parts.sweep.capacities, parts.sweep.cells, results);
  const subject = parts.sweep?.subject;
  const isSwept = sweep !== undefined && subject !== undefined && sweep.points.length > 0;
  return {
    left: written.left.label,
    right: written.right.label,
    isComplete: parts.isComplete,
    slo,
    normalised: parts.normalised,
    sweptOn: parts.sweptOn,
    confounders,
    confounderTable: confounderTable(measuredPair, confounders),
    tables: comparisonTables(written),
    flows: [requestFlow(written.left), requestFlow(written.right)],
    measured: measured ?? null,
    measuredTable: measured === undefined ? null : measuredTable(measuredPair, measured),
    sweep: isSwept ? sweep : null,
    sweepTables: isSwept ? sweepTables(sweep, subject) : [],
    answer: isSwept ? answerOf(sweep, subject, slo) : null,
    alone: subject === undefined ? [] : aloneRequests(parts.sweep?.cells ?? [], subject, results),
  };
}

function aloneRequests(
  cells: readonly SweepCell[],
  { sides }: SweepSubject,
  results: ReadonlyMap<Cell["key"], ServiceReport>,
): readonly AloneRequest[] {
  return cells
    .filter(({ loadRatio }) => loadRatio === 0)
    .flatMap(({ key, variant, promptTokens }) => {
      const report = results.get(key);
      const side = sides.find(({ name }) => name === variant);
      if (report?.ttftMs == null || report.e2eMs === null || side === undefined) return [];
      const transferMs = report.kvTransfer.ms?.p50 ?? 0;
      const { p50: ttftMs } = report.ttftMs;
      const [prefillMs, decodeMs] = [ttftMs - transferMs, report.e2eMs.p50 - ttftMs];
      return [{ label: side.title, promptTokens, prefillMs, transferMs, decodeMs }];
    });
}

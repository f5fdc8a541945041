import type { ComparisonReport } from "./comparison.ts";
import { flowText } from "./request-flow.ts";
import { TEXT_WIDTH, textTable, wrapText } from "./text-table.ts";

/** The whole comparison as text of 100 columns: the answer first, then what it rests on. */
export function comparisonText(report: ComparisonReport): string {
  const { answer, sweptOn, normalised } = report;
  const blocks = [
    `${report.left} and ${report.right}`,
    ...(report.isComplete ? [] : ["Interrupted: what follows is what was there by then."]),
    ...(answer === null ? [] : [answerText(answer)]),
    textTable(report.confounderTable),
    ...(normalised.length === 0 ? [] : [list("Made equal for what is measured:", normalised)]),
    ...(report.measuredTable === null ? [] : [textTable(report.measuredTable)]),
    ...(report.sweep === null || sweptOn.length === 0
      ? []
      : [list("Made equal for the sweep:", sweptOn)]),
    ...report.sweepTables.map((table) => textTable(table)),
    ...report.tables.map((table) => textTable(table)),
    ...report.flows.map(flowText),
  ];
  return blocks.join("\n\n\n");
}

function answerText({ headline, reasons }: NonNullable<ComparisonReport["answer"]>): string {
  return list(wrapText(headline, TEXT_WIDTH).join("\n"), reasons);
}

function list(heading: string, items: readonly string[]): string {
  const lines = items.map((item) => `- ${wrapText(item, TEXT_WIDTH - 2).join("\n  ")}`);
  return [heading, "", ...lines].join("\n").trimEnd();
}

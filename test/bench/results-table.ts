// Prints what `npm run bench -- --json FILE` wrote as the Markdown of docs/performance.md:
//   node test/bench/results-table.ts FILE
import { readFileSync } from "node:fs";
import process from "node:process";
import { budgetText, type Measure, significant, verdict } from "./measure.ts";
import type { BenchReport } from "./suite.ts";

const [file = ""] = process.argv.slice(2);
const report = JSON.parse(readFileSync(file, "utf8")) as BenchReport;
const { startedAt, machine, loadAtStart, loadAtEnd, results } = report;
const { cores, cpu, node } = machine;
const load = `load average ${loadAtStart.toFixed(2)} at start, ${loadAtEnd.toFixed(2)} at end`;
console.log(`${startedAt.slice(0, 10)}: ${cores} cores of ${cpu}, Node ${node}, ${load}.\n`);
console.log("| Figure | Value | Against | Budget | | Other cores |\n|---|---|---|---|---|---|");
for (const { otherCores, measures } of results) {
  for (const measure of measures ?? []) console.log(rowOf(measure, otherCores));
}

function rowOf(measure: Measure, otherCores: number | null): string {
  const { name, value, unit, peer, ratio, remark } = measure;
  const against = ratio === undefined ? (peer ?? "") : `${ratio.toFixed(2)}× ${peer}`;
  const judged = [verdict(measure), remark].filter(Boolean).join("; ");
  const cells = [name, `${significant(value)} ${unit}`, against, budgetText(measure), judged];
  return `| ${[...cells, otherCores?.toFixed(2) ?? ""].join(" | ")} |`;
}

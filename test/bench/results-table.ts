// Prints what `npm run bench -- --json FILE` wrote as the Markdown of docs/performance.md:
//   node test/bench/results-table.ts FILE
import { readFileSync } from "node:fs";
import process from "node:process";
import { budgetText, significant, verdict } from "./measure.ts";
import type { BenchReport } from "./suite.ts";

const [file = ""] = process.argv.slice(2);
const { startedAt, machine, results } = JSON.parse(readFileSync(file, "utf8")) as BenchReport;
const { cores, cpu, node, loadAtStart, loadAtEnd } = machine;
const load = `load average ${loadAtStart.toFixed(2)} at the start, ${loadAtEnd.toFixed(2)} at the end`;
console.log(`${startedAt.slice(0, 10)}: ${cores} cores of ${cpu}, Node ${node}, ${load}.\n`);
console.log("| Figure | Value | Against | Budget | |\n|---|---|---|---|---|");
for (const measure of results.flatMap(({ measures }) => measures ?? [])) {
  const { name, value, unit, peer, ratio, remark } = measure;
  const against = ratio === undefined ? (peer ?? "") : `${ratio.toFixed(2)}× ${peer}`;
  const last = [verdict(measure), remark].filter(Boolean).join("; ");
  console.log(
    `| ${name} | ${significant(value)} ${unit} | ${against} | ${budgetText(measure)} | ${last} |`,
  );
}

import { errorOf, type Finding, type FindingGroup, isMiss } from "./finding.ts";

/** The findings as a Markdown page. */
export function renderFidelity(groups: readonly FindingGroup[]): string {
  const banded = groups.flatMap(({ findings }) =>
    findings.filter(({ band }) => band !== undefined),
  );
  const misses = banded.filter(isMiss);
  return `${[
    "# Fidelity",
    "",
    "What `switchyard simulate` gives where others published measurements. This page is generated:",
    "",
    "```sh",
    "switchyard simulate --fidelity --trace mooncake-conversation.jsonl >docs/fidelity.md",
    "```",
    "",
    `${banded.length} of the numbers have a band that tests hold them to; ${misses.length} of those miss it.`,
    "Published numbers are mostly single runs, and runs of one configuration differ by 10 to 15 %,",
    "so a smaller error means little. A number without a band is shown for what it is.",
    ...groups.flatMap(groupLines),
  ].join("\n")}\n`;
}

function groupLines(group: FindingGroup): readonly string[] {
  const { title, source, fittedHere, remarks, findings } = group;
  return [
    "",
    `## ${title}`,
    "",
    `Source: ${source}.`,
    "",
    fittedHere === ""
      ? "No constant was fitted on these numbers."
      : `Fitted on these numbers: ${fittedHere.charAt(0).toLowerCase()}${fittedHere.slice(1)}`,
    ...remarks.flatMap((remark) => ["", remark]),
    "",
    "| Quantity | Unit | Published | Simulated | Error | Band | |",
    "|---|---|---:|---:|---:|---:|---|",
    ...findings.map(row),
  ];
}

function row(finding: Finding): string {
  const { quantity, unit, published, simulated, band } = finding;
  const error = errorOf(finding);
  const cells = [
    quantity,
    unit,
    rounded(published),
    rounded(simulated),
    `${error > 0 ? "+" : ""}${(100 * error).toFixed(1)} %`,
    band === undefined ? "–" : `${Number((100 * band).toFixed(1))} %`,
    isMiss(finding) ? "**miss**" : "",
  ];
  return `| ${cells.join(" | ")} |`.replace("|  |", "| |");
}

function rounded(value: number): string {
  return String(Number(value.toPrecision(4)));
}

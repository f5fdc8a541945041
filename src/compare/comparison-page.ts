import type { ComparisonReport } from "./comparison.ts";
import { aloneTimeline, crossoverMaps, endpointHeat, latencyCharts } from "./comparison-plots.ts";
import { PAGE_STYLE } from "./page-style.ts";
import type { RequestFlow } from "./request-flow.ts";
import { element, escapeMarkup } from "./svg.ts";
import type { Table } from "./table.ts";

/** The comparison as one page that needs nothing else: no script, no font, no image from elsewhere. */
export function comparisonPage(report: ComparisonReport): string {
  const title = `${report.left} and ${report.right}`;
  const body = [
    `<h1>${name("a", report.left)} and ${name("b", report.right)}</h1>`,
    report.isComplete ? "" : note("Interrupted: what follows is what was there by then."),
    answerPart(report),
    part("Differences that are not the architecture", tablePart(report.confounderTable)),
    measuredPart(report),
    sweepPart(report),
    part("One request through prefill, transfer and decode", aloneTimeline(report.alone)),
    part("A request's way", element("div", { class: "flows" }, ...report.flows.map(flowPart))),
    ...report.tables.map((table) => part(table.title, tablePart(table))),
  ];
  return [
    "<!doctype html>",
    '<html lang="en">',
    '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeMarkup(title)}</title><style>${PAGE_STYLE}</style></head>`,
    `<body><main>${body.filter((text) => text !== "").join("\n")}</main></body>`,
    "</html>\n",
  ].join("\n");
}

function answerPart({ answer }: ComparisonReport): string {
  if (answer === null) return "";
  const reasons = answer.reasons.map((reason) => element("li", {}, escapeMarkup(reason)));
  const headline = element("p", {}, escapeMarkup(answer.headline));
  return element("section", { class: "answer" }, headline, element("ul", {}, ...reasons));
}

function measuredPart(report: ComparisonReport): string {
  const { measuredTable, normalised } = report;
  if (measuredTable === null) return "";
  return part(
    measuredTable.title,
    normalised.length === 0 ? "" : note(`Made equal: ${normalised.join("; ")}.`),
    tablePart(measuredTable),
    element("h2", {}, "Endpoints"),
    element("div", { class: "maps" }, ...endpointHeat(report)),
  );
}

function sweepPart(report: ComparisonReport): string {
  const { sweep, sweepTables, sweptOn } = report;
  if (sweep === null) return "";
  const legend = `<span class="a">— ${escapeMarkup(report.left)}</span> &#160; <span class="b">- - ${escapeMarkup(report.right)}</span> &#160; dashed grey: the limit`;
  return [
    part(
      "Latency against load",
      sweptOn.length === 0 ? "" : note(`Made equal: ${sweptOn.join("; ")}.`),
      `<p class="note">${legend}</p>`,
      element("div", { class: "plots" }, ...latencyCharts(report)),
    ),
    part(
      "Who is better where",
      `<p class="note">Blue: ${escapeMarkup(report.left)} is better. Orange: ${escapeMarkup(report.right)} is. Grey: no difference beyond the seeds' spread. Percent of requests within limits, milliseconds.</p>`,
      element("div", { class: "maps" }, ...crossoverMaps(report)),
    ),
    ...sweepTables.map((table) => folded(table.title, tablePart(table))),
  ].join("\n");
}

function tablePart({ header, rows, remark }: Table): string {
  if (rows.length === 0) return note(remark ?? "");
  const head = header.map((title) => element("th", { scope: "col" }, escapeMarkup(title)));
  const body = rows.map(([first = "", ...rest]) => {
    const cells = rest.map((cell) => element("td", {}, escapeMarkup(cell)));
    return element("tr", {}, element("th", { scope: "row" }, escapeMarkup(first)), ...cells);
  });
  const table = element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...body),
  );
  return `${element("div", { class: "wide" }, table)}${remark === undefined ? "" : note(remark)}`;
}

function flowPart({ title, steps }: RequestFlow): string {
  const items = steps.flatMap(({ title: heading, lines, via }, index) => {
    const arrow = via === undefined ? "↓" : `↓ ${via}`;
    const spans = lines.map((line) => element("span", {}, escapeMarkup(line)));
    const box = element("li", {}, element("strong", {}, escapeMarkup(heading)), ...spans);
    return index === 0 ? [box] : [element("li", { class: "via" }, escapeMarkup(arrow)), box];
  });
  return element(
    "div",
    {},
    element("h3", {}, escapeMarkup(title)),
    element("ol", { class: "flow" }, ...items),
  );
}

function part(title: string, ...content: readonly string[]): string {
  const inner = content.filter((text) => text !== "");
  if (inner.length === 0) return "";
  return element("section", {}, element("h2", {}, escapeMarkup(title)), ...inner);
}

/** Figures behind the plots: there for who wants them. */
function folded(title: string, content: string): string {
  return element("details", {}, element("summary", {}, escapeMarkup(title)), content);
}

function note(text: string): string {
  return element("p", { class: "note" }, escapeMarkup(text));
}

function name(className: string, text: string): string {
  return element("span", { class: className }, escapeMarkup(text));
}

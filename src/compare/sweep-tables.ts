import { LINK_TITLES } from "./arm.ts";
import type { Contestants } from "./contestants.ts";
import { describeRanges } from "./crossover.ts";
import type { Estimate } from "./estimate.ts";
import { figureText, type Unit } from "./measured.ts";
import {
  middleLoad,
  mixedVariants,
  OWN_LINKS,
  otherLinks,
  otherSplits,
  type SweepSubject,
} from "./sweep-plan.ts";
import { better, type Figures, pointAt, rangesOf, type SweepResult } from "./sweep-result.ts";
import type { Table } from "./table.ts";
import { ABSENT } from "./text-table.ts";

/** The sweep as tables: the grid, where the split is better, links, splits of other kinds, thresholds. */
export function sweepTables(sweep: SweepResult, subject: SweepSubject): readonly Table[] {
  const { contestants } = subject;
  const tables = [gridTable(sweep, subject)];
  if (contestants !== undefined) {
    tables.push(
      crossoverTable(sweep, subject, contestants),
      linkTable(sweep, subject, contestants),
      mixedTable(sweep, subject),
    );
  }
  return tables.filter(({ rows }) => rows.length > 0);
}

/** `30 %`, which no line break divides. */
export function percent(ratio: number): string {
  return `${Math.round(ratio * 100)}\u00a0%`;
}

function gridTable(sweep: SweepResult, { sides: [left, right] }: SweepSubject): Table {
  const rows = sweep.shape.promptTokens.flatMap((promptTokens) =>
    sweep.shape.loadRatios.flatMap((loadRatio) => {
      const [ours, theirs] = [left, right].map(({ name }) =>
        pointAt(sweep, name, promptTokens, loadRatio),
      );
      if (ours === undefined || theirs === undefined) return [];
      const winner = better("goodRatio", ours.figures, theirs.figures);
      const best = winner === "left" ? "A" : winner === "right" ? "B" : "equal";
      return [
        [
          promptTokens.toLocaleString("en-US"),
          percent(loadRatio),
          ours.perSecond.toFixed(1),
          ...both(ours.figures, theirs.figures, "ttftMsP95", "ms"),
          ...both(ours.figures, theirs.figures, "tpotMsP95", "ms"),
          ...both(ours.figures, theirs.figures, "goodRatio", "%"),
          best,
        ],
      ];
    }),
  );
  return {
    title: "Sweep: one model, as many GPUs, unrelated prompts",
    header: [
      "Prompt tokens",
      "Load",
      "Requests /s",
      "TTFT p95 A",
      "TTFT p95 B",
      "ITL p95 A",
      "ITL p95 B",
      "In limits A",
      "In limits B",
      "Best",
    ],
    rows,
    remark: `A is ${left.title}, B is ${right.title}; means over the seeds, milliseconds and percent. Load is the share of what the single pool (A, where there is none) serves with ${CAPACITY_WORDS}. Answers have ${sweep.shape.outputTokens} tokens. Best is who keeps both limits for more requests; equal within the seeds' spread.`,
  };
}

const CAPACITY_WORDS = "32 requests under way for each GPU";

function crossoverTable(
  sweep: SweepResult,
  subject: SweepSubject,
  { single, split }: Contestants,
): Table {
  const challengers = [subject.sides[split === "left" ? 0 : 1], ...otherSplits(subject)];
  const rows = challengers.flatMap(({ name, title }) =>
    sweep.shape.loadRatios.map((loadRatio) => {
      const contest = { holder: single, challenger: name, loadRatio };
      return [
        title,
        percent(loadRatio),
        ...(["tpotMsP95", "ttftMsP95", "goodRatio"] as const).map((metric) =>
          describeRanges(rangesOf(sweep, metric, contest), "tokens"),
        ),
      ];
    }),
  );
  return {
    title: "Where the split is better than the single pool",
    header: ["Split", "Load", "Lower ITL p95", "Lower TTFT p95", "More within limits"],
    rows,
    remark:
      "By prompt length; ends are interpolated between the lengths that were run. A difference within the seeds' spread counts as none.",
  };
}

function linkTable(
  sweep: SweepResult,
  subject: SweepSubject,
  { single, split }: Contestants,
): Table {
  const loadRatio = middleLoad(sweep.shape);
  const own = subject.link === "none" ? "as written" : LINK_TITLES[OWN_LINKS[subject.link]];
  const links = [{ name: split as string, title: own }, ...otherLinks(subject)];
  const rows = links.flatMap(({ name, title }) =>
    sweep.shape.promptTokens.flatMap((promptTokens) => {
      const figures = pointAt(sweep, name, promptTokens, loadRatio)?.figures;
      const holder = pointAt(sweep, single, promptTokens, loadRatio)?.figures;
      if (figures === undefined || holder === undefined) return [];
      return [
        [
          title,
          promptTokens.toLocaleString("en-US"),
          plain(figures.transferMsP50),
          plain(figures.ttftMsP95),
          plain(holder.ttftMsP95),
          plain(figures.goodRatio, "%"),
        ],
      ];
    }),
  );
  return {
    title: `The link, at ${percent(loadRatio)} load`,
    header: [
      "Link",
      "Prompt tokens",
      "Transfer p50",
      "TTFT p95 split",
      "TTFT p95 single",
      "In limits split",
    ],
    rows,
    remark: "A transfer includes waiting for the cards, which carry one after another.",
  };
}

function mixedTable(sweep: SweepResult, subject: SweepSubject): Table {
  const loadRatio = middleLoad(sweep.shape);
  const rows = mixedVariants(subject).flatMap(({ name, title }) => {
    const figures = pointAt(sweep, name, 0, loadRatio)?.figures;
    if (figures === undefined) return [];
    return [
      [title, plain(figures.ttftMsP95), plain(figures.tpotMsP95), plain(figures.goodRatio, "%")],
    ];
  });
  return {
    title: `Threshold, at ${percent(loadRatio)} load`,
    header: ["Threshold", "TTFT p95", "ITL p95", "In limits"],
    rows,
    remark: "One prompt in ten has 13,000 tokens, the others 650 (about 52,000 and 2,600 bytes).",
  };
}

function both(
  left: Figures,
  right: Figures,
  name: keyof Figures,
  unit: Unit,
): readonly [string, string] {
  return [plain(left[name], unit), plain(right[name], unit)];
}

/** The mean alone: a table of many figures has no room for spreads. */
function plain(value: Estimate | undefined, unit: Unit = "ms"): string {
  if (value === undefined) return ABSENT;
  const { mean } = value;
  return figureText({ mean, least: mean, most: mean }, unit).replace(/\u00a0(?:ms|%)$/, "");
}

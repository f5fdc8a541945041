import type { Slo } from "../sim/report.ts";
import { describeRanges } from "./crossover.ts";
import { type Estimate, spread } from "./estimate.ts";
import { linkReason } from "./link-reason.ts";
import { figureText } from "./measured.ts";
import { mixedVariants, otherSplits, type SweepSubject, type Variant } from "./sweep-plan.ts";
import {
  better,
  type MetricName,
  pointAt,
  rangesOf,
  type SweepPoint,
  type SweepResult,
} from "./sweep-result.ts";
import { percent } from "./sweep-tables.ts";

/** What the numbers say, in words. */
export interface Answer {
  readonly headline: string;
  /** Sentences with the numbers that the headline follows from. */
  readonly reasons: readonly string[];
}

/** Draws the conclusion; every sentence is made from the sweep's points. */
export function answerOf(sweep: SweepResult, subject: SweepSubject, slo: Slo): Answer {
  const { contestants, sides } = subject;
  const limits = `TTFT ${slo.ttftMs} ms and ITL ${slo.tpotMs} ms`;
  const sideAt = (name: "left" | "right"): Variant => sides[name === "left" ? 0 : 1];
  const [holder, challenger] =
    contestants === undefined ? sides : [sideAt(contestants.single), sideAt(contestants.split)];
  const duel: Duel = { sweep, holder, challenger };
  const places = outcomes(duel, "goodRatio");
  if (places.length === 0) return { headline: NOTHING, reasons: [] };
  const isPoolAgainstSplit = contestants !== undefined;
  return {
    headline: headlineOf(duel, places, limits, isPoolAgainstSplit),
    reasons: [
      ...worstLosses(duel, places),
      ...(isPoolAgainstSplit ? otherSplitReason(duel, subject) : []),
      ...metricReason(duel, "tpotMsP95"),
      ...metricReason(duel, "ttftMsP95"),
      ...(isPoolAgainstSplit ? linkReason(sweep, subject, holder.name) : []),
      ...thresholdReason(sweep, subject),
      uncertaintyReason(duel),
    ],
  };
}

/** The one who has the place, and the one who has to be better to take it. */
interface Duel {
  readonly sweep: SweepResult;
  readonly holder: Variant;
  readonly challenger: Variant;
}

interface Place {
  readonly winner: "holder" | "challenger" | "equal";
  readonly ours: SweepPoint;
  readonly theirs: SweepPoint;
}

const NOTHING = "No answer: too little of the sweep was run.";

function outcomes({ sweep, holder, challenger }: Duel, metric: MetricName): readonly Place[] {
  const { promptTokens, loadRatios } = sweep.shape;
  return promptTokens.flatMap((tokens) =>
    loadRatios.flatMap((load) => {
      const ours = pointAt(sweep, holder.name, tokens, load);
      const theirs = pointAt(sweep, challenger.name, tokens, load);
      const found = better(metric, ours?.figures, theirs?.figures);
      if (ours === undefined || theirs === undefined || found === undefined) return [];
      const winner = found === "equal" ? found : found === "left" ? "holder" : "challenger";
      return [{ winner, ours, theirs } as const];
    }),
  );
}

function headlineOf(
  duel: Duel,
  places: readonly Place[],
  limits: string,
  isPoolAgainstSplit: boolean,
): string {
  const { holder, challenger, sweep } = duel;
  const [ours, theirs] = isPoolAgainstSplit
    ? [`Single pool (${holder.title})`, `P/D split (${challenger.title})`]
    : [holder.title, challenger.title];
  const has = (winner: Place["winner"]): boolean => places.some((one) => one.winner === winner);
  const range = rangeText(sweep);
  if (!has("challenger") && !has("holder")) {
    return `${ours}: both keep ${limits} equally well ${range}, and the simpler one is enough.`;
  }
  if (!has("challenger")) {
    return `${ours}: nowhere ${range} does ${challenger.title} as configured keep ${limits} for more requests.`;
  }
  if (!has("holder") && places.every(({ winner }) => winner === "challenger")) {
    return `${theirs}: it keeps ${limits} for more requests everywhere ${range}.`;
  }
  return `${theirs} ${stretches(duel, "goodRatio")}, where it keeps ${limits} for more requests; ${ours} elsewhere.`;
}

/** `from 11,000 tokens at 90 % load, from 13,000 tokens at 60 % load`. */
function stretches({ sweep, holder, challenger }: Duel, metric: MetricName): string {
  const parts = sweep.shape.loadRatios.toReversed().flatMap((loadRatio) => {
    const contest = { holder: holder.name, challenger: challenger.name, loadRatio };
    const ranges = rangesOf(sweep, metric, contest);
    if (ranges.length === 0) return [];
    return [`${describeRanges(ranges, "prompt tokens")} at ${percent(loadRatio)} load`];
  });
  return parts.length === 0 ? "nowhere" : parts.join(", ");
}

/** Where the challenger keeps the limits for fewest requests compared with the holder. */
function worstLosses(duel: Duel, places: readonly Place[]): readonly string[] {
  const gap = ({ ours, theirs }: Place): number =>
    (ours.figures.goodRatio?.mean ?? 0) - (theirs.figures.goodRatio?.mean ?? 0);
  const [worst] = places
    .filter(({ winner }) => winner === "holder")
    .toSorted((one, other) => gap(other) - gap(one));
  if (worst === undefined) return [];
  return [
    `${duel.challenger.title} loses most ${placeText(worst.ours)}: ${duelText(worst, "goodRatio")} of the requests keep the limits.`,
  ];
}

/** The best of the other splits, when it is better than the single pool somewhere. */
function otherSplitReason({ sweep, holder }: Duel, subject: SweepSubject): readonly string[] {
  const candidates = otherSplits(subject).map((challenger) => {
    const duel: Duel = { sweep, holder, challenger };
    const places = outcomes(duel, "goodRatio");
    const wins = places.filter(({ winner }) => winner === "challenger");
    return { duel, places, wins, losses: places.filter(({ winner }) => winner === "holder") };
  });
  if (candidates.every(({ places }) => places.length === 0)) return [];
  const [best] = candidates
    .filter(({ wins }) => wins.length > 0)
    .toSorted((a, b) => b.wins.length - b.losses.length - (a.wins.length - a.losses.length));
  if (best === undefined) {
    return ["Other proportions of the two pools do not change that."];
  }
  const gain = ({ ours, theirs }: Place): number =>
    (theirs.figures.goodRatio?.mean ?? 0) - (ours.figures.goodRatio?.mean ?? 0);
  const [example] = best.wins.toSorted((one, other) => gain(other) - gain(one));
  const shown =
    example === undefined ? "" : `: ${duelText(example, "goodRatio")} ${placeText(example.ours)}`;
  return [
    `A split pays in another form: ${best.duel.challenger.title} keeps the limits for more requests ${stretches(best.duel, "goodRatio")}${shown} (one seed).`,
  ];
}

function metricReason(duel: Duel, metric: "tpotMsP95" | "ttftMsP95"): readonly string[] {
  const name = metric === "tpotMsP95" ? "ITL p95" : "TTFT p95";
  const places = outcomes(duel, metric);
  if (places.length === 0) return [];
  const wins = places.filter(({ winner }) => winner === "challenger");
  const losses = places.filter(({ winner }) => winner === "holder");
  const { holder, challenger } = duel;
  const ratio = ({ ours, theirs }: Place): number =>
    (ours.figures[metric]?.mean ?? 1) / (theirs.figures[metric]?.mean ?? 1);
  const [gain] = wins.toSorted((one, other) => ratio(other) - ratio(one));
  const [loss] = losses.toSorted((one, other) => ratio(one) - ratio(other));
  const parts = [
    gain === undefined
      ? `${name} is nowhere lower with ${challenger.title}`
      : `${name} is lower with ${challenger.title} ${stretches(duel, metric)} (${duelText(gain, metric)} ${placeText(gain.ours)})`,
    loss === undefined
      ? `and nowhere lower with ${holder.title}`
      : `and lower with ${holder.title} at ${losses.length} of ${places.length} places (${duelText(loss, metric)} ${placeText(loss.ours)})`,
  ];
  return [`${parts.join(", ")}.`];
}

function thresholdReason(sweep: SweepResult, subject: SweepSubject): readonly string[] {
  const thresholds = mixedVariants(subject).flatMap(({ name, title }) => {
    const point = sweep.points.find(
      ({ variant, promptTokens }) => variant === name && promptTokens === 0,
    );
    if (point === undefined || !name.startsWith("threshold")) return [];
    return [{ title, figures: point.figures }];
  });
  const [first] = thresholds;
  const ttft = (one: typeof first): number => one?.figures.ttftMsP95?.mean ?? Infinity;
  const good = (one: typeof first): number => one?.figures.goodRatio?.mean ?? 0;
  const [best] = thresholds.toSorted((a, b) => good(b) - good(a) || ttft(a) - ttft(b));
  if (first === undefined || best === undefined) return [];
  const facts = (one: typeof best): string =>
    `TTFT p95 ${text(one.figures.ttftMsP95)}, ITL p95 ${text(one.figures.tpotMsP95)}`;
  if (best === first) {
    return [
      `On mixed prompts threshold ${first.title} is the best of those tried: ${facts(first)}.`,
    ];
  }
  return [
    `On mixed prompts threshold ${best.title} is the best of those tried: ${facts(best)}, against ${facts(first)} with ${first.title}.`,
  ];
}

function uncertaintyReason({ sweep, holder, challenger }: Duel): string {
  const { seeds } = sweep.shape;
  if (seeds.length < 2) {
    return "One seed: how much the figures vary by chance is not known; use --seeds.";
  }
  const own = sweep.points.filter(({ variant }) =>
    [holder.name, challenger.name].includes(variant),
  );
  const most = (values: readonly number[]): number => Math.max(0, ...values);
  const ttft = most(
    own.map(({ figures: { ttftMsP95: one } }) => (one ? spread(one) / one.mean : 0)),
  );
  const itl = most(
    own.map(({ figures: { tpotMsP95: one } }) => (one ? spread(one) / one.mean : 0)),
  );
  const good = most(own.map(({ figures: { goodRatio: one } }) => (one ? spread(one) : 0)));
  return `Over ${seeds.length} seeds TTFT p95 varies by up to ±${percent(ttft)}, ITL p95 by ±${percent(itl)} and the share within limits by ±${(good * 100).toFixed(1)} points; a difference within the spread of its place counts as none.`;
}

function rangeText({ shape: { promptTokens, loadRatios } }: SweepResult): string {
  const [least, most] = [Math.min(...promptTokens), Math.max(...promptTokens)];
  return `from ${least.toLocaleString("en-US")} to ${most.toLocaleString("en-US")} prompt tokens and up to ${percent(Math.max(...loadRatios))} load`;
}

function placeText({ promptTokens, loadRatio }: SweepPoint): string {
  return `at ${promptTokens.toLocaleString("en-US")} tokens and ${percent(loadRatio)} load`;
}

/** The challenger's figure against the holder's. */
function duelText({ ours, theirs }: Place, metric: MetricName): string {
  const unit = metric === "goodRatio" ? "%" : "ms";
  return `${text(theirs.figures[metric], unit)} against ${text(ours.figures[metric], unit)}`;
}

function text(value: Estimate | undefined, unit: "ms" | "%" = "ms"): string {
  return value === undefined
    ? "nothing"
    : figureText({ mean: value.mean, least: value.mean, most: value.mean }, unit);
}

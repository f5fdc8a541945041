import { LINK_NAMES, LINK_TITLES, type LinkName, type Variation } from "./arm.ts";
import type { Cell, SideName, Traffic } from "./cell.ts";
import type { Contestants } from "./contestants.ts";

/** What a sweep looks at. */
export interface SweepShape {
  readonly promptTokens: readonly number[];
  readonly outputTokens: number;
  /** Shares of what the single pool (or the left service) can serve. */
  readonly loadRatios: readonly number[];
  /** Of one cell. */
  readonly requests: number;
  /** The grid is run with each; the series beside it with the first. */
  readonly seeds: readonly number[];
}

/** How much is swept. */
export const SWEEPS = ["default", "full", "none"] as const;
export type SweepName = (typeof SWEEPS)[number];

/** What both sides are at one place of the sweep, or what one of them is turned into. */
export interface Variant {
  readonly name: string;
  readonly title: string;
  readonly side: SideName;
  readonly variation: Variation;
}

/** A cell with its place in the sweep. */
export interface SweepCell extends Cell {
  readonly variant: string;
  /** 0 for prompts of mixed lengths. */
  readonly promptTokens: number;
  readonly loadRatio: number;
  /** Requests a second; 0 where one request is sent after the other. */
  readonly perSecond: number;
}

/** Requests a second that the reference serves, by prompt length; 0 is the mixed traffic. */
export type Capacities = ReadonlyMap<number, number>;

/** The shape that a name stands for, cut to prompts that the engines take. */
export function sweepShape(
  name: Exclude<SweepName, "none">,
  facts: { readonly contextTokens: number; readonly seeds: readonly number[] },
): SweepShape {
  const { promptTokens, ...shape } = name === "default" ? DEFAULT_SHAPE : FULL_SHAPE;
  const longest = facts.contextTokens - shape.outputTokens;
  const fitting = promptTokens.filter((tokens) => tokens <= longest);
  return { ...shape, promptTokens: fitting, seeds: facts.seeds };
}

/** Cells that find out what the reference can serve; every load is a share of it. */
export function capacityCells(shape: SweepShape, subject: SweepSubject): readonly SweepCell[] {
  const concurrency = CAPACITY_PER_GPU * subject.gpus;
  const pace = { kind: "closed", ladder: [{ concurrency }] } as const;
  const lengths = [...shape.promptTokens, ...(isMixedSwept(shape, subject) ? [MIXED] : [])];
  return lengths.map((promptTokens) =>
    sweepCell({
      variant: variantOf(subject.contestants?.single ?? "left", subject),
      series: "capacity",
      promptTokens,
      loadRatio: 1,
      perSecond: 0,
      seed: shape.seeds[0] ?? 1,
      traffic: traffic(shape, promptTokens, pace, CAPACITY_ROUNDS * concurrency),
    }),
  );
}

/** Every other cell, once the capacities are known. */
export function sweepCells(
  shape: SweepShape,
  subject: SweepSubject,
  capacities: Capacities,
): readonly SweepCell[] {
  const [firstSeed = 1] = shape.seeds;
  const middle = middleLoad(shape);
  const at = (
    variant: Variant,
    place: { series: string; promptTokens: number; loadRatio: number; seed: number },
  ): readonly SweepCell[] => {
    const capacity = capacities.get(place.promptTokens);
    if (capacity === undefined) return [];
    const perSecond = capacity * place.loadRatio;
    const pace = { kind: "open", arrivals: "poisson", ladder: [{ perSecond }] } as const;
    const planned = traffic(shape, place.promptTokens, pace, shape.requests);
    return [sweepCell({ ...place, variant, perSecond, traffic: planned })];
  };
  const everywhere = (loads: readonly number[], seeds: readonly number[], variant: Variant) =>
    shape.promptTokens.flatMap((promptTokens) =>
      loads.flatMap((loadRatio) =>
        seeds.flatMap((seed) => at(variant, { series: "grid", promptTokens, loadRatio, seed })),
      ),
    );
  return [
    ...subject.sides.flatMap((variant) => everywhere(shape.loadRatios, shape.seeds, variant)),
    ...otherSplits(subject).flatMap((v) => everywhere(shape.loadRatios, [firstSeed], v)),
    ...otherLinks(subject).flatMap((variant) => everywhere([middle], [firstSeed], variant)),
    ...(isMixedSwept(shape, subject) ? mixedVariants(subject) : []).flatMap((variant) =>
      at(variant, { series: "mixed", promptTokens: MIXED, loadRatio: middle, seed: firstSeed }),
    ),
    ...subject.sides.map((variant) => aloneCell(shape, variant)),
  ];
}

/** The two services of a sweep. */
export interface SweepSubject {
  /** Left and right as they are on equal terms. */
  readonly sides: readonly [Variant, Variant];
  readonly contestants: Contestants | undefined;
  readonly gpus: number;
  /** How KV cache of the split leaves its host. */
  readonly link: "rdma" | "tcp" | "none";
}

/** The load at which series beside the grid are run. */
export function middleLoad({ loadRatios }: SweepShape): number {
  return loadRatios[Math.floor(loadRatios.length / 2)] ?? 0.5;
}

/** The split with the other's choice, and with that in other proportions. */
export function otherSplits({ contestants, sides }: SweepSubject): readonly Variant[] {
  if (contestants === undefined) return [];
  const { split: side, isChoiceDifferent, ratios } = contestants;
  const shared = isChoiceDifferent ? ({ isChoiceShared: true } as const) : {};
  const single = sides[contestants.single === "left" ? 0 : 1].title;
  const own = sides[side === "left" ? 0 : 1].title;
  const choice = isChoiceDifferent ? ` with the choice of ${single}` : "";
  const base = { name: "choice", title: `${own}${choice}`, side, variation: shared };
  const proportions = ratios.map((replicas) => ({
    name: `ratio-${replicas.prefill}-${replicas.main}`,
    title: `${own}${choice}, ${replicas.prefill} prefill and ${replicas.main} decode`,
    side,
    variation: { ...shared, replicas },
  }));
  return [...(isChoiceDifferent ? [base] : []), ...proportions];
}

/** The split over the links that it does not have. */
export function otherLinks({ contestants, link }: SweepSubject): readonly Variant[] {
  if (contestants === undefined) return [];
  const own: LinkName | undefined = link === "none" ? undefined : OWN_LINKS[link];
  return LINK_NAMES.filter((name) => name !== own).map((name) => ({
    name: `link-${name}`,
    title: LINK_TITLES[name],
    side: contestants.split,
    variation: { link: name },
  }));
}

/** The link that a transport stands for. */
export const OWN_LINKS: Readonly<Record<"rdma" | "tcp", LinkName>> = {
  rdma: "rdma-400",
  tcp: "tcp",
};

/** Thresholds in prompt bytes: always, from about 2k and from about 8k tokens. */
const THRESHOLD_BYTES = [0, 8192, 32_768] as const;

/** The split with each threshold, and the single pool beside it. */
export function mixedVariants({ contestants, sides }: SweepSubject): readonly Variant[] {
  if (contestants === undefined) return [];
  const { split, single } = contestants;
  const thresholds = THRESHOLD_BYTES.map((thresholdBytes) => ({
    name: `threshold-${thresholdBytes}`,
    title: thresholdBytes === 0 ? "0 (always split)" : `${thresholdBytes} bytes`,
    side: split,
    variation: { thresholdBytes },
  }));
  return [...thresholds, sides[single === "left" ? 0 : 1]];
}

const DEFAULT_SHAPE: Omit<SweepShape, "seeds"> = {
  promptTokens: [500, 2000, 8000, 16_000],
  outputTokens: 250,
  loadRatios: [0.3, 0.6, 0.9],
  requests: 400,
};
const FULL_SHAPE: Omit<SweepShape, "seeds"> = {
  promptTokens: [250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000],
  outputTokens: 250,
  loadRatios: [0.15, 0.3, 0.45, 0.6, 0.75, 0.9],
  requests: 1000,
};

/** Requests under way for each GPU when the capacity is measured: batches are large, answers still come. */
const CAPACITY_PER_GPU = 32;
const CAPACITY_ROUNDS = 4;
/** The mixed traffic's place on the axis of prompt lengths. */
const MIXED = 0;
/** As in the llm-d demo: one long prompt in ten. */
const MIXED_WORDS = { shortWords: 500, longWords: 10_000, longEvery: 10 };
const MIXED_LONGEST_TOKENS = 13_000;
/** Requests of the cells in which one is sent after the other. */
const ALONE_REQUESTS = 8;
const ALONE_TOKENS = 8000;

function isMixedSwept({ promptTokens }: SweepShape, { contestants }: SweepSubject): boolean {
  return contestants?.hasThreshold === true && Math.max(...promptTokens) >= MIXED_LONGEST_TOKENS;
}

function variantOf(side: SideName, { sides }: SweepSubject): Variant {
  return sides[side === "left" ? 0 : 1];
}

function aloneCell(shape: SweepShape, variant: Variant): SweepCell {
  const fitting = shape.promptTokens.filter((tokens) => tokens <= ALONE_TOKENS);
  const promptTokens = Math.max(...fitting);
  const pace = { kind: "closed", ladder: [{ concurrency: 1 }] } as const;
  return sweepCell({
    variant,
    series: "alone",
    promptTokens,
    loadRatio: 0,
    perSecond: 0,
    seed: shape.seeds[0] ?? 1,
    traffic: traffic(shape, promptTokens, pace, ALONE_REQUESTS),
  });
}

function traffic(
  { outputTokens }: SweepShape,
  promptTokens: number,
  pace: Extract<Traffic, { kind: "planned" }>["pace"],
  requests: number,
): Traffic {
  return promptTokens === MIXED
    ? {
        kind: "planned",
        workload: "heterogeneous",
        params: { ...MIXED_WORDS, outputTokens },
        pace,
        requests,
      }
    : {
        kind: "planned",
        workload: "fixed",
        params: { promptTokens, outputTokens },
        pace,
        requests,
      };
}

function sweepCell(
  place: Pick<SweepCell, "promptTokens" | "loadRatio" | "perSecond" | "seed" | "traffic"> & {
    readonly series: string;
    readonly variant: Variant;
  },
): SweepCell {
  const { variant, series, ...rest } = place;
  const { name, side, variation } = variant;
  const key = [series, name, rest.promptTokens, rest.loadRatio, rest.seed].join("/");
  return { ...rest, key, side, terms: "equal", variation, variant: name };
}

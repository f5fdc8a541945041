import { invariant } from "../../core/invariant.ts";
import type { StageReport } from "../report.ts";
import { OVERHEAD_MS } from "../scenario.ts";
import type { Finding, FindingGroup } from "./finding.ts";
import { labEngine, labPool, PREFIX_CONFIG, RANDOM_CONFIG } from "./lab.ts";
import { runExperiment } from "./single-service.ts";

/** One stage as published: rate, seconds, then tok/s and seconds to first token (mean, p90) of each arm. */
type Row = readonly [
  perSecond: number,
  seconds: number,
  random: readonly [tokens: number, ttft: number, ttftP90: number],
  prefix: readonly [tokens: number, ttft: number, ttftP90: number],
];

// llm-d guides/optimized-baseline/README.md, commit 021723b.
const ROWS: readonly Row[] = [
  [3, 20, [1797, 0.415, 0.522], [1777, 0.133, 0.162]],
  [10, 20, [4215, 0.63, 1.014], [5066, 0.125, 0.172]],
  [15, 20, [5381, 0.881, 1.593], [7053, 0.122, 0.187]],
  [20, 38, [6205, 18.103, 35.344], [11688, 0.174, 0.283]],
  [22, 34, [5517, 20.171, 39.436], [12436, 0.116, 0.148]],
  [25, 30, [5965, 21.842, 42.813], [12501, 0.116, 0.146]],
  [30, 25, [5702, 24.597, 46.036], [13862, 0.117, 0.148]],
  [35, 21, [5890, 24.162, 45.19], [14026, 0.117, 0.15]],
  [40, 38, [6336, 68.673, 126.238], [16041, 0.153, 0.216]],
  [43, 36, [6588, 72.429, 130.275], [16339, 0.254, 0.218]],
  [46, 33, [6459, 70.084, 129.81], [16665, 0.154, 0.22]],
  [49, 30, [6265, 70.659, 133.718], [16126, 0.151, 0.209]],
  [52, 29, [6303, 74.326, 134.981], [16474, 0.152, 0.219]],
  [55, 27, [6290, 72.564, 134.034], [16854, 0.153, 0.215]],
  [57, 26, [6089, 72.329, 135.023], [16641, 0.153, 0.217]],
  [60, 25, [6551, 75.586, 138.663], [17064, 0.154, 0.217]],
];

/** Rates of the published ladder. */
export const LADDER_RATES: readonly number[] = ROWS.map(([perSecond]) => perSecond);
export type LadderArm = "random" | "prefix";

const WARM_UP = { perSecond: 15, seconds: 50 };
/** From this rate on the random arm is saturated. */
const SATURATED_RATE = 20;
const BAND = 0.15;

/** Runs one arm over the given rates of the ladder, warm-up first; reports by rate. */
export async function runLadder(
  arm: LadderArm,
  rates: readonly number[],
): Promise<ReadonlyMap<number, StageReport>> {
  const rows = ROWS.filter(([perSecond]) => rates.includes(perSecond));
  const ladder = rows.map(([perSecond, seconds]) => ({ perSecond, seconds }));
  const engine = labEngine("Qwen3-32B", "H100", {
    tensorParallel: 2,
    maxNumBatchedTokens: 8192,
    // As the pods reported; the engines of that time kept 4 GB for themselves.
    blockCount: 19_208,
  });
  const { stages } = await runExperiment({
    config: arm === "random" ? RANDOM_CONFIG : PREFIX_CONFIG,
    engines: labPool("both", 8, engine),
    workload: "shared-prefix",
    params: {},
    pace: { kind: "open", arrivals: "poisson", ladder: [WARM_UP, ...ladder] },
    // llm-d's picker refreshes metrics every 50 ms.
    settings: { overheadMs: OVERHEAD_MS.gateway, scrapeIntervalMs: 50 },
  });
  return new Map(rows.map(([perSecond], index) => [perSecond, stageAt(stages, index + 1)]));
}

/** Both arms beside what llm-d published. */
export async function sharedPrefixLadder(
  rates: readonly number[] = LADDER_RATES,
): Promise<readonly FindingGroup[]> {
  const groups: FindingGroup[] = [];
  for (const arm of ["random", "prefix"] as const) {
    const stages = await runLadder(arm, rates);
    groups.push({
      title:
        arm === "random"
          ? "Qwen3-32B, 8 x 2 H100, endpoints chosen at random"
          : "Qwen3-32B, 8 x 2 H100, longest prefix and load",
      source:
        "llm-d guides/optimized-baseline (commit 021723b): 150 groups x 5 prompts, 6000 + 1200 " +
        "tokens in, 1000 out, Poisson stages",
      fittedHere:
        "The share of a block's read that a second reader pays (0.5), and 55 ms for client and gateway.",
      findings: ROWS.flatMap((row) => rowFindings(arm, row, stages.get(row[0]))),
      remarks: [remarkOn(arm)],
    });
  }
  return groups;
}

function rowFindings(arm: LadderArm, row: Row, stage: StageReport | undefined): readonly Finding[] {
  if (stage === undefined) return [];
  const [perSecond, , random, prefix] = row;
  const [tokens, ttft, ttftP90] = arm === "random" ? random : prefix;
  // Below saturation and in the prefix arm a handful of requests make the mean.
  const ttftBand = arm === "random" && perSecond >= SATURATED_RATE ? BAND : undefined;
  const at = `${perSecond} req/s`;
  const seconds = (ms: number | undefined): number => (ms ?? 0) / 1000;
  return [
    {
      quantity: `${at}: output`,
      unit: "tok/s",
      published: tokens,
      simulated: stage.outputTokensPerSecond,
      band: BAND,
    },
    {
      quantity: `${at}: TTFT mean`,
      unit: "s",
      published: ttft,
      simulated: seconds(stage.ttftMs?.mean),
      band: ttftBand,
    },
    {
      quantity: `${at}: TTFT p90`,
      unit: "s",
      published: ttftP90,
      simulated: seconds(stage.ttftMs?.p90),
      band: ttftBand,
    },
  ];
}

function remarkOn(arm: LadderArm): string {
  return arm === "random"
    ? "The published arm is a Kubernetes service; kube-proxy picks at random for each connection."
    : "The published arm uses prefix-cache-affinity-filter and token-load-scorer; here it is " +
        "prefix-cache-scorer 3, queue-scorer 2, kv-cache-scorer 2.";
}

function stageAt(stages: readonly StageReport[], index: number): StageReport {
  const stage = stages[index];
  invariant(stage !== undefined, "the ladder has a report for each stage");
  return stage;
}

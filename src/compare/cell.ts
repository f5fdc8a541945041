import { invariant } from "../core/invariant.ts";
import type { ServiceReport } from "../sim/report.ts";
import type { SimulationSettings } from "../sim/scenario.ts";
import { type Checkpoint, simulate } from "../sim/simulate.ts";
import { type Pace, planWorkload } from "../sim/workload/plan-workload.ts";
import type { WorkloadFacts } from "../sim/workload/request-source.ts";
import type { Workload } from "../sim/workload/workload.ts";
import { type Arm, type Variation, varyArm } from "./arm.ts";

/** Which of the two services. */
export type SideName = "left" | "right";

/** One simulation as plain data: it travels to a worker. */
export interface Cell {
  /** Unique in a comparison. */
  readonly key: string;
  readonly side: SideName;
  /** As the files have it, or with one model and as many GPUs. */
  readonly terms: "written" | "equal";
  readonly variation: Variation;
  readonly traffic: Traffic;
  readonly seed: number;
}

/** What the clients of a cell do. */
export type Traffic =
  /** What the command line asked for. */
  | { readonly kind: "asked" }
  | {
      readonly kind: "planned";
      readonly workload: string;
      readonly params: Readonly<Record<string, number>>;
      readonly pace: Pace;
      readonly requests: number;
    };

/** What a cell found. */
export interface CellResult {
  readonly key: string;
  readonly report: ServiceReport;
}

/** Two services on one kind of terms. */
export type Arms = Readonly<Record<SideName, Arm>>;

/** What cells are run with. */
export interface CellBench {
  readonly arms: Readonly<Record<Cell["terms"], Arms>>;
  /** Without the seed, which is the cell's. */
  readonly settings: Omit<SimulationSettings, "seed">;
  /** Makes the traffic that was asked for, the same for both sides. */
  askedWorkload(seed: number, facts: WorkloadFacts): Workload;
}

/** Runs one cell; undefined when the checkpoint said stop. */
export async function runCell(
  cell: Cell,
  bench: CellBench,
  checkpoint?: Checkpoint,
): Promise<CellResult | undefined> {
  const arms = bench.arms[cell.terms];
  const other = cell.side === "left" ? "right" : "left";
  const arm = varyArm(arms[cell.side], cell.variation, arms[other]);
  const { traffic, seed } = cell;
  const facts = sharedFacts(arms);
  const workload =
    traffic.kind === "asked"
      ? bench.askedWorkload(seed, facts)
      : planWorkload({ ...traffic, name: traffic.workload, seconds: undefined, seed, facts });
  const { config, modelName } = arm.service;
  const services = [{ name: arm.label, modelName, config, engines: arm.engines, workload }];
  const report = await simulate({ services, settings: { ...bench.settings, seed } }, checkpoint);
  const [service] = report.services;
  invariant(service !== undefined, "a scenario of one service has no report");
  return report.isComplete ? { key: cell.key, report: service } : undefined;
}

/** Longest prompt and answer that every engine of both sides takes. */
export function contextTokens({ left, right }: Arms): number {
  const engines = [...left.engines, ...right.engines];
  return Math.min(...engines.map(({ config }) => config.maxModelLen));
}

/** Both sides get the same requests, so what a workload sizes itself by is the smaller of the two. */
function sharedFacts(arms: Arms): WorkloadFacts {
  const engines = [...arms.left.engines, ...arms.right.engines];
  const tokens = engines.map(({ config }) => (config.blockCount - 1) * config.blockTokens);
  return {
    kvTokens: Math.min(...tokens),
    replicas: Math.min(arms.left.service.main.replicas, arms.right.service.main.replicas),
    maxModelLen: contextTokens(arms),
  };
}

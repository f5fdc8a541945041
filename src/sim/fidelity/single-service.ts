import { invariant } from "../../core/invariant.ts";
import type { ServiceReport } from "../report.ts";
import { DEFAULT_SETTINGS, type EngineSpec, type SimulationSettings } from "../scenario.ts";
import { simulate } from "../simulate.ts";
import { type Pace, planWorkload } from "../workload/plan-workload.ts";
import { labConfig } from "./lab.ts";

/** A published experiment: engines, router and load. */
export interface Experiment {
  readonly config: string;
  readonly engines: readonly EngineSpec[];
  readonly workload: string;
  readonly params: Readonly<Record<string, number>>;
  readonly pace: Pace;
  readonly requests?: number;
  readonly settings: Partial<SimulationSettings>;
}

/** Runs it and gives its one service's report. */
export async function runExperiment(experiment: Experiment): Promise<ServiceReport> {
  const { config, engines, workload: name, params, pace, requests } = experiment;
  const settings = { ...DEFAULT_SETTINGS, ...experiment.settings };
  const facts = { kvTokens: 0, replicas: engines.length, maxModelLen: 131_072 };
  const workload = planWorkload({
    name,
    params,
    pace,
    requests,
    seconds: undefined,
    seed: settings.seed,
    facts,
  });
  const service = { name: "lab", modelName: "lab", config: labConfig(config), engines, workload };
  const [report] = (await simulate({ services: [service], settings })).services;
  invariant(report !== undefined, "one service gives one report");
  return report;
}

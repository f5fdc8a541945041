import { noLog } from "../core/log.ts";
import { noMeter } from "../core/meter.ts";
import { SeededRng } from "../core/rng.ts";
import { PoolRouterCore } from "../director/pool-router-core.ts";
import { ROLE_LABEL } from "../endpoints/endpoint-table.ts";
import { textKey } from "../engine/mix-keys.ts";
import { checkScenario } from "./check-scenario.ts";
import { idBlockHasher } from "./id-prompt.ts";
import type { Report, ServiceReport, StageReport } from "./report.ts";
import type { Scenario, SimulatedService, SimulationSettings } from "./scenario.ts";
import { ServiceRun } from "./service-run.ts";
import { Tally } from "./tally.ts";

/** How far a simulation is. */
export interface Progress {
  readonly service: string;
  readonly requests: number;
  readonly simulatedSeconds: number;
}

/** Called every few thousand events; whoever answers `stop` gets the report of what there is. */
export type Checkpoint = (progress: Progress) => Promise<"continue" | "stop">;

/** Runs every service of a scenario in virtual time; equal scenarios give equal reports. */
export async function simulate(scenario: Scenario, checkpoint?: Checkpoint): Promise<Report> {
  checkScenario(scenario);
  const { services, settings } = scenario;
  const reports: ServiceReport[] = [];
  let isComplete = true;
  for (const service of services) {
    const done = await simulateService(service, settings, checkpoint);
    reports.push(done.report);
    isComplete = done.isComplete;
    if (!isComplete) break;
  }
  return {
    seed: settings.seed,
    isComplete,
    simulatedSeconds: Math.max(0, ...reports.map((report) => report.simulatedSeconds)),
    services: reports,
  };
}

/** Events between two checkpoints: some tens of milliseconds of wall time. */
const CHECKPOINT_EVENTS = 4096;
// The limits of a live router that bear on decisions.
const IN_FLIGHT_MAX = 65_536;
const RETRY_LIMIT = 2;
const PREFILL_CANDIDATES = 2;
/** Nobody reads decisions of a simulation back, so few are kept. */
const DECISION_CAPACITY = 64;

async function simulateService(
  service: SimulatedService,
  settings: SimulationSettings,
  checkpoint: Checkpoint | undefined,
): Promise<{ readonly report: ServiceReport; readonly isComplete: boolean }> {
  const phases = new SeededRng(settings.seed, textKey(service.name));
  const run = new ServiceRun(service, settings, {
    core: routerCore(service, settings),
    scrapePhaseMs: () => phases.next() * settings.scrapeIntervalMs,
  });
  const total = new Tally(settings.slo, 0);
  const stages: StageReport[] = [];
  let isComplete = true;
  for (const stage of service.workload.stages()) {
    const tally = new Tally(settings.slo, run.nowUs);
    run.begin(stage, [total, tally]);
    isComplete = await drain(run, service.name, checkpoint);
    stages.push({ stage: stage.name, ...tally.summary() });
    if (!isComplete) break;
  }
  const report: ServiceReport = {
    service: service.name,
    modelName: service.modelName,
    workload: service.workload.name,
    ...total.summary(),
    stages: stages.length > 1 ? stages : [],
    endpoints: endpointReports(run),
  };
  return { report, isComplete };
}

/** Runs until the stage is over; false when the checkpoint said stop. */
async function drain(
  run: ServiceRun,
  service: string,
  checkpoint: Checkpoint | undefined,
): Promise<boolean> {
  for (let events = 1; ; events++) {
    const reading = run.draw();
    if (reading !== undefined) {
      await reading;
      continue;
    }
    if (!run.step()) return true;
    if (checkpoint === undefined || events % CHECKPOINT_EVENTS !== 0) continue;
    const simulatedSeconds = run.nowUs / 1e6;
    const answer = await checkpoint({ service, requests: run.requestCount, simulatedSeconds });
    if (answer === "stop") return false;
  }
}

function routerCore(service: SimulatedService, settings: SimulationSettings): PoolRouterCore {
  return new PoolRouterCore({
    pool: service.name,
    blueprint: service.config,
    model: service.modelName,
    hasher: idBlockHasher,
    meter: noMeter,
    log: noLog,
    stopwatch: undefined,
    seed: settings.seed,
    legs: "sidecar",
    prefillCandidates: PREFILL_CANDIDATES,
    isCorrectingMetrics: settings.isCorrectingMetrics,
    retryLimit: RETRY_LIMIT,
    inFlightMax: IN_FLIGHT_MAX,
    // Every request of a simulation ends, so none has to be given up.
    exchangeTimeoutMs: Number.POSITIVE_INFINITY,
    decisionCapacity: DECISION_CAPACITY,
    decisionBytesMax: 2 ** 24,
  });
}

function endpointReports(run: ServiceRun): ServiceReport["endpoints"] {
  const { engines, nowUs } = run;
  const roleOf = (index: number): string => engines[index]?.spec.labels[ROLE_LABEL] ?? "both";
  const legsByRole = new Map<string, number>();
  for (const [index, { legs }] of engines.entries()) {
    legsByRole.set(roleOf(index), (legsByRole.get(roleOf(index)) ?? 0) + legs);
  }
  return engines.map((engine, index) => {
    const role = roleOf(index);
    return engine.report({ role, roleLegs: legsByRole.get(role) ?? 0, spanUs: nowUs });
  });
}

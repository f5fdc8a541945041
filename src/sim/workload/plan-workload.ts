import { ConfigError, type ConfigFault } from "../../core/config-error.ts";
import type { Rng } from "../../core/rng.ts";
import { SeededRng } from "../../core/rng.ts";
import { type ArrivalKind, arrivalTimes } from "./arrival-times.ts";
import { findWorkload, WORKLOADS } from "./catalogue.ts";
import type { RequestSource, WorkloadDefinition, WorkloadFacts } from "./request-source.ts";
import type { Arrival, Stage, Workload } from "./workload.ts";

/** How clients send what a workload draws. */
export type Pace =
  | {
      readonly kind: "open";
      readonly arrivals: ArrivalKind;
      /** Requests, or sessions, a second in each stage. */
      readonly ladder: readonly { readonly perSecond: number; readonly seconds?: number }[];
    }
  /** Each client sends when its last request, or session, is over. */
  | { readonly kind: "closed"; readonly ladder: readonly { readonly concurrency: number }[] };

/** A workload of the catalogue as it was asked for. */
export interface WorkloadPlan {
  readonly name: string;
  readonly params: Readonly<Record<string, number>>;
  readonly pace: Pace;
  /** Requests, or sessions, of each stage. */
  readonly requests: number | undefined;
  /** Sending time of a stage that has none of its own. */
  readonly seconds: number | undefined;
  readonly seed: number;
  readonly facts: WorkloadFacts;
}

/** Makes the workload; throws ConfigError for an unknown name or parameter. */
export function planWorkload(plan: WorkloadPlan): Workload {
  const definition = findWorkload(plan.name);
  if (definition === undefined) {
    const allowed = WORKLOADS.map(({ name }) => name);
    const message = `no workload is named ${plan.name}`;
    throw new ConfigError([{ path: "--workload", message, allowed }]);
  }
  const faults = paramFaults(definition, plan.params);
  if (faults.length > 0) throw new ConfigError(faults);
  return { name: plan.name, stages: () => stagesOf(definition, plan) };
}

function paramFaults(
  definition: WorkloadDefinition,
  params: Readonly<Record<string, number>>,
): readonly ConfigFault[] {
  return Object.entries(params).flatMap(([name, value]) => {
    const path = "--param";
    if (definition.params[name] === undefined) {
      const allowed = Object.keys(definition.params);
      return [{ path, message: `${definition.name} has no parameter ${name}`, allowed }];
    }
    const isFraction = /(?:Ratio|Seconds)$/.test(name);
    const isPossible = Number.isFinite(value) && (isFraction || Number.isSafeInteger(value));
    const least = definition.optional?.includes(name) === true ? 0 : Number.MIN_VALUE;
    if (isPossible && value >= least) return [];
    const kind = isFraction ? "number" : "whole number";
    return [
      { path, message: `${name} must be a ${kind} ${least === 0 ? "of at least" : "above"} 0` },
    ];
  });
}

/** The source goes on over the stages, so caches warm up as under a load that lasts. */
function* stagesOf(definition: WorkloadDefinition, plan: WorkloadPlan): Generator<Stage> {
  const { pace, seconds, requests, facts } = plan;
  const param = (name: string): number => plan.params[name] ?? definition.params[name] ?? 0;
  const source = definition.open(param, new SeededRng(plan.seed, 1), facts);
  const rng = new SeededRng(plan.seed, 2);
  if (pace.kind === "closed") {
    for (const { concurrency } of pace.ladder) {
      const limit = requests ?? Number.POSITIVE_INFINITY;
      yield {
        name: `concurrency ${concurrency}`,
        concurrencyMax: concurrency,
        arrivals: closedArrivals(source, limit),
        ...(seconds !== undefined && { secondsMax: seconds }),
      };
    }
    return;
  }
  for (const step of pace.ladder) {
    const stageSeconds = step.seconds ?? seconds;
    const timed =
      stageSeconds === undefined ? undefined : Math.round(step.perSecond * stageSeconds);
    const limit = Math.min(requests ?? Infinity, timed ?? Infinity);
    yield {
      name: `rate ${step.perSecond}`,
      arrivals: openArrivals(source, pace.arrivals, step.perSecond, limit, rng),
    };
  }
}

function* openArrivals(
  source: RequestSource,
  kind: ArrivalKind,
  perSecond: number,
  limit: number,
  rng: Rng,
): Generator<Arrival> {
  let count = 0;
  for (const atUs of arrivalTimes(kind, perSecond, rng)) {
    if (count++ >= limit) return;
    const drawn = source.next();
    if (drawn.done === true) return;
    yield { atUs, request: drawn.value };
  }
}

function* closedArrivals(source: RequestSource, limit: number): Generator<Arrival> {
  for (let count = 0; count < limit; count++) {
    const drawn = source.next();
    if (drawn.done === true) return;
    yield { atUs: 0, request: drawn.value };
  }
}

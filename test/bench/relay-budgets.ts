import type { RelaySample } from "./relay-measure.ts";

/** One promise about the router beside nginx. */
export interface RelayBudget {
  readonly name: string;
  readonly relayCase: string;
  readonly limit: number;
  readonly isAtLeast: boolean;
  value(router: RelaySample, nginx: RelaySample): number;
}

/** A budget with what was measured. */
export interface CheckedBudget {
  readonly name: string;
  readonly value: number;
  readonly limit: string;
  readonly isMet: boolean;
}

const shareOfNginx = (router: RelaySample, nginx: RelaySample): number =>
  router.perCoreSecond / nginx.perCoreSecond;

/** The whole job, scheduling, access log and metrics included, beside nginx's `proxy_pass`. */
export const RELAY_BUDGETS: readonly RelayBudget[] = [
  atLeast("json-1k", 0.42),
  atLeast("json-16k", 0.25),
  atLeast("json-220k", 0.18),
  {
    name: "sse-2000x20: CPU of an event over nginx's",
    relayCase: "sse-2000x20",
    limit: 1.4,
    isAtLeast: false,
    value: (router, nginx) => router.costUs / nginx.costUs,
  },
  {
    name: "sse-2000x20: p50 over nginx's, us",
    relayCase: "sse-2000x20",
    limit: 50,
    isAtLeast: false,
    value: (router, nginx) => router.p50Us - nginx.p50Us,
  },
  {
    name: "sse-2000x20: p99 over nginx's, us",
    relayCase: "sse-2000x20",
    limit: 5000,
    isAtLeast: false,
    value: (router, nginx) => router.p99Us - nginx.p99Us,
  },
  atLeast("sse-flat-out", 0.7),
];

/** The value of one field in the middle of several runs. */
export function medianSample(samples: readonly RelaySample[]): RelaySample {
  const median = (field: keyof RelaySample): number => {
    const values = samples.map((sample) => sample[field]).sort((a, b) => a - b);
    return values[Math.floor(values.length / 2)] ?? Number.NaN;
  };
  return {
    perCoreSecond: median("perCoreSecond"),
    costUs: median("costUs"),
    core: median("core"),
    loadCore: median("loadCore"),
    perSecond: median("perSecond"),
    p50Us: median("p50Us"),
    p99Us: median("p99Us"),
    failed: samples.reduce((sum, sample) => sum + sample.failed, 0),
  };
}

/** Judges the budgets of the cases that both sides have run. */
export function checkBudgets(
  router: ReadonlyMap<string, RelaySample>,
  nginx: ReadonlyMap<string, RelaySample>,
): CheckedBudget[] {
  return RELAY_BUDGETS.flatMap((budget) => {
    const own = router.get(budget.relayCase);
    const peer = nginx.get(budget.relayCase);
    if (own === undefined || peer === undefined) return [];
    const value = budget.value(own, peer);
    const isMet = budget.isAtLeast ? value >= budget.limit : value <= budget.limit;
    const limit = `${budget.isAtLeast ? "≥" : "≤"} ${budget.limit}`;
    return [{ name: budget.name, value, limit, isMet }];
  });
}

function atLeast(relayCase: string, limit: number): RelayBudget {
  const name = `${relayCase}: rate per core over nginx's`;
  return { name, relayCase, limit, isAtLeast: true, value: shareOfNginx };
}

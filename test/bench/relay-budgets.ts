import { atMost, type Budget, type Measure } from "./measure.ts";
import type { RelaySample } from "./relay-measure.ts";

/** What one peer was measured at, by case. */
export type CaseSamples = ReadonlyMap<string, RelaySample>;

// The whole job, scheduling, access log and metrics included, beside nginx's `proxy_pass`.
const RATE_MIN: Readonly<Record<string, number>> = {
  "json-1k": 0.42,
  "json-16k": 0.25,
  "json-220k": 0.18,
  "sse-flat-out": 0.7,
};
const PACED = "sse-2000x20";
const PACED_COST_MAX = 1.4;
const PACED_P50_OVER_US_MAX = 50;
const PACED_P99_OVER_US_MAX = 5000;
// Above this share of a core nothing is left for more load.
const SATURATED = 0.9;

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

/** The router's figures beside those of each peer that ran the same cases. */
export function relayMeasures(results: ReadonlyMap<string, CaseSamples>): Measure[] {
  const peers = [...results].filter(([name]) => name !== "router");
  return [...(results.get("router") ?? [])].flatMap(([relayCase, own]) => {
    const beside = peers.flatMap(([peer, samples]): Measure[] => {
      const sample = samples.get(relayCase);
      if (sample === undefined) return [];
      const measures = relayCase === PACED ? pacedMeasures : rateMeasures;
      const remark = loadRemark(relayCase, own) ?? loadRemark(relayCase, sample, peer);
      return measures(relayCase, own, { name: peer, sample }).map((measure) => ({
        ...measure,
        ...(remark && { remark }),
      }));
    });
    return beside.length > 0 ? beside : [rateOf(relayCase, own)];
  });
}

interface Peer {
  readonly name: string;
  readonly sample: RelaySample;
}

function rateMeasures(relayCase: string, own: RelaySample, peer: Peer): Measure[] {
  const limit = peer.name === "nginx" ? RATE_MIN[relayCase] : undefined;
  const ratio = own.perCoreSecond / peer.sample.perCoreSecond;
  const budget = limit !== undefined && { budget: { limit, isAtLeast: true, isRatio: true } };
  return [{ ...rateOf(relayCase, own), peer: peer.name, ratio, ...budget }];
}

function rateOf(relayCase: string, own: RelaySample): Measure {
  return { name: `${relayCase}, rate`, value: own.perCoreSecond, unit: "/s/core" };
}

function pacedMeasures(relayCase: string, own: RelaySample, peer: Peer): Measure[] {
  const { name, sample } = peer;
  const promised = (budget: Budget) => (name === "nginx" ? { budget } : {});
  const over = (what: string, value: number, limit: number): Measure => ({
    name: `${relayCase}, ${what} over the peer's`,
    value,
    unit: "us",
    peer: name,
    ...promised(atMost(limit)),
  });
  return [
    {
      name: `${relayCase}, CPU of an event`,
      value: own.costUs,
      unit: "us",
      peer: name,
      ratio: own.costUs / sample.costUs,
      ...promised({ ...atMost(PACED_COST_MAX), isRatio: true }),
    },
    over("p50", own.p50Us - sample.p50Us, PACED_P50_OVER_US_MAX),
    over("p99", own.p99Us - sample.p99Us, PACED_P99_OVER_US_MAX),
  ];
}

/** Says when something else than who relays held the load back. */
function loadRemark(relayCase: string, sample: RelaySample, name = "router"): string | undefined {
  if (sample.failed > 0) return `${name}: ${sample.failed} failed`;
  if (sample.loadCore > SATURATED) return `${name}: the load generator was the limit`;
  if (relayCase === PACED || sample.core > SATURATED) return undefined;
  return `${name}: not saturated, ${sample.core.toFixed(2)} of its core`;
}

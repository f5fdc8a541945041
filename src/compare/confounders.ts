import type { Service } from "../manifest/service.ts";
import { probeText, tlsText, weightedChoice } from "./describe-service.ts";
import { type Pair, poolsOf, totalGpus } from "./side.ts";
import type { Table } from "./table.ts";

/** Something besides the architecture in which two services differ. */
export interface Confounder {
  /** Rule of `switchyard check` that says the same, where there is one. */
  readonly rule: string | undefined;
  readonly what: string;
  readonly left: string;
  readonly right: string;
  /** What it does to the measured figures. */
  readonly effect: string;
}

/** Differences that make a measured difference say little about either; none between equal services. */
export function findConfounders({ left, right }: Pair): readonly Confounder[] {
  return CANDIDATES.flatMap(({ fact, ...words }) => {
    const [ours, theirs] = [fact(left.service), fact(right.service)];
    return ours === theirs ? [] : [{ ...words, left: ours, right: theirs }];
  });
}

/** The differences as a table; without rows when there are none. */
export function confounderTable(pair: Pair, confounders: readonly Confounder[]): Table {
  return {
    title: "Differences that are not the architecture",
    header: ["What", pair.left.label, pair.right.label, "Effect on the figures"],
    rows: confounders.map(({ rule, what, left, right, effect }) => [
      rule === undefined ? what : `${what} (${rule})`,
      left,
      right,
      effect,
    ]),
    remark:
      confounders.length === 0
        ? "None: what is measured is the architecture."
        : "Each is a second cause of whatever is measured. --normalize gives both one model and as many GPUs.",
  };
}

interface Candidate extends Omit<Confounder, "left" | "right"> {
  readonly fact: (service: Service) => string;
}

const NOT_SIMULATED = "None: not simulated. It counts on a cluster.";

const CANDIDATES: readonly Candidate[] = [
  {
    rule: "J1",
    what: "model",
    fact: ({ modelUri }) => modelUri,
    effect: "All of them: the figures compare the models.",
  },
  {
    rule: "J2",
    what: "GPUs in all",
    fact: (service) => String(totalGpus(service)),
    effect: "Throughput and latency under load.",
  },
  {
    rule: "J3",
    what: "endpoints in all",
    fact: (service) => String(poolsOf(service).reduce((sum, { replicas }) => sum + replicas, 0)),
    effect: "Queues: fewer engines of more GPUs are not as many small ones.",
  },
  {
    rule: "J4",
    what: "vLLM arguments",
    fact: (service) => argumentsText(service),
    effect: "Those that size caches and batches are simulated; the others are not.",
  },
  {
    rule: "J7",
    what: "choice within a pool",
    fact: weightedChoice,
    effect:
      "Balance, queues and prefix reuse. Where prompts share nothing, only balance and queues.",
  },
  { rule: "J5", what: "CPU and memory", fact: hostText, effect: NOT_SIMULATED },
  {
    rule: "J6",
    what: "liveness probe",
    fact: ({ main }) => probeText(main),
    effect: NOT_SIMULATED,
  },
  { rule: undefined, what: "TLS", fact: tlsText, effect: NOT_SIMULATED },
  {
    rule: "J8",
    what: "tolerations",
    fact: ({ main }) => (main.tolerations.length > 0 ? "yes" : "none"),
    effect: "None here; on a cluster the endpoints may stand on other nodes with other GPUs.",
  },
];

/** KV transfer is the split's own, and logs change nothing. */
const NEUTRAL_FLAGS = /^kv-|log/;

function argumentsText({ main }: Service): string {
  const flags = [...main.engineArguments.flags]
    .filter(([name]) => !NEUTRAL_FLAGS.test(name))
    .map(([name, value]) => (value === "true" ? `--${name}` : `--${name} ${value}`));
  return flags.length === 0 ? "vLLM's defaults" : flags.toSorted().join(" ");
}

function hostText({ main }: Service): string {
  return ["cpu", "memory"].map((name) => `${name} ${main.limits[name] ?? "unlimited"}`).join(", ");
}

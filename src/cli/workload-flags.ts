import { type Command, InvalidArgumentError } from "commander";
import { isRecording } from "../sim/replay/read-recording.ts";
import { recordingTrace } from "../sim/replay/recording-trace.ts";
import { ARRIVAL_KINDS, type ArrivalKind } from "../sim/workload/arrival-times.ts";
import { azureTrace } from "../sim/workload/azure-trace.ts";
import { WORKLOADS } from "../sim/workload/catalogue.ts";
import { mooncakeTrace } from "../sim/workload/mooncake-trace.ts";
import { type Pace, planWorkload } from "../sim/workload/plan-workload.ts";
import type { WorkloadFacts } from "../sim/workload/request-source.ts";
import type { Workload } from "../sim/workload/workload.ts";
import { oneOf, positiveNumber, wholeNumber } from "./option-values.ts";
import { traceLines, traceStart } from "./trace-lines.ts";
import { UsageError } from "./usage-error.ts";

/** Options that say what clients do. */
export interface WorkloadFlags {
  readonly workload?: string;
  readonly param: Readonly<Record<string, number>>;
  readonly rate?: readonly { readonly perSecond: number; readonly seconds?: number }[];
  readonly arrivals: ArrivalKind;
  readonly concurrency?: readonly { readonly concurrency: number }[];
  readonly duration?: number;
  readonly requests?: number;
  readonly trace?: string;
  readonly sort?: true;
  readonly seed: number;
}

const DEFAULT_WORKLOAD = "chat";
const DEFAULT_RATE = 1;
/** Sending time of a stage for which neither a duration nor a number of requests is given. */
const DEFAULT_SECONDS = 60;

/** Adds the options. */
export function addWorkloadFlags(command: Command): Command {
  const count = wholeNumber(1, 1_000_000_000);
  return command
    .option("--workload <name>", "what clients send; see below (chat)")
    .option("--param <name=value>", "parameter of the workload; may be repeated", collectParam, {})
    .option(
      "--rate <n[:seconds],…>",
      "requests or sessions a second; a list is a ladder",
      rateSteps,
    )
    .option("--arrivals <kind>", ARRIVAL_KINDS.join(", "), oneOf(ARRIVAL_KINDS), "poisson")
    .option("--concurrency <n,…>", "clients that each wait for their answer", concurrencySteps)
    .option("--duration <seconds>", "sending time of each stage", positiveNumber)
    .option("--requests <n>", "requests, or sessions, of each stage", count)
    .option("--trace <file>", "requests of a trace: a recording, Mooncake .jsonl or Azure .csv")
    .option("--sort", "order the trace by time, in memory")
    .option("--seed <n>", "seed of every draw", wholeNumber(0, 2 ** 32 - 1), 1);
}

/** The catalogue, for the command's help. */
export function workloadHelp(): string {
  const lines = WORKLOADS.map(({ name, description, params }) => {
    const defaults = Object.entries(params).map(([param, value]) => `${param}=${value}`);
    return `  ${name}: ${description}\n    ${defaults.join(" ")}`;
  });
  return ["\nWorkloads with their parameters:", ...lines].join("\n");
}

/**
 * The workload that was asked for, afresh for each service, which a recording of several pools is asked
 * for by name; throws UsageError or ConfigError.
 */
export function workloadOf(flags: WorkloadFlags, facts: WorkloadFacts, service = ""): Workload {
  const { trace, seed, requests, duration } = flags;
  if (trace !== undefined) return traceWorkload(flags, trace, service);
  if (flags.rate !== undefined && flags.concurrency !== undefined) {
    throw new UsageError("--rate and --concurrency exclude each other");
  }
  const isUnlimited = requests === undefined && duration === undefined;
  const pace: Pace =
    flags.concurrency === undefined
      ? {
          kind: "open",
          arrivals: flags.arrivals,
          ladder: flags.rate ?? [{ perSecond: DEFAULT_RATE }],
        }
      : { kind: "closed", ladder: flags.concurrency };
  return planWorkload({
    name: flags.workload ?? DEFAULT_WORKLOAD,
    params: flags.param,
    pace,
    requests,
    seconds: isUnlimited ? DEFAULT_SECONDS : duration,
    seed,
    facts,
  });
}

function traceWorkload(flags: WorkloadFlags, trace: string, service: string): Workload {
  if (flags.workload !== undefined || flags.rate !== undefined || flags.concurrency !== undefined) {
    throw new UsageError("--trace brings its own requests: no --workload, --rate or --concurrency");
  }
  const source = { file: trace, lines: traceLines(trace), isSorted: flags.sort === true };
  if (isRecording(traceStart(trace))) return recordingTrace(source, service);
  if (trace.endsWith(".jsonl")) return mooncakeTrace(source);
  if (trace.endsWith(".csv")) return azureTrace(source);
  throw new UsageError(`${trace}: a trace is a recording, a Mooncake .jsonl or an Azure .csv file`);
}

function rateSteps(text: string): readonly { perSecond: number; seconds?: number }[] {
  return text.split(",").map((step) => {
    const [rate = "", seconds] = step.split(":", 2);
    const perSecond = positiveNumber(rate);
    return seconds === undefined ? { perSecond } : { perSecond, seconds: positiveNumber(seconds) };
  });
}

function concurrencySteps(text: string): readonly { concurrency: number }[] {
  return text.split(",").map((step) => ({ concurrency: wholeNumber(1, 1_000_000)(step) }));
}

function collectParam(
  text: string,
  before: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const [, name, value] = /^(\w+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || !Number.isFinite(Number(value))) {
    throw new InvalidArgumentError("must be NAME=NUMBER.");
  }
  return { ...before, [name]: Number(value) };
}

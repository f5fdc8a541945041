// Runs the benchmarks one after the other, each in a process of its own, and prints one table:
//   npm run bench -- [--only NAME,…] [--short] [--json FILE]
import { fork } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { loadAverage, type MachineFacts, machineFacts, OtherWork } from "./machine.ts";
import { isMet, type Measure, measureTable } from "./measure.ts";

/** Files of this folder, in the order in which they run. */
const PROGRAMS = [
  "decision",
  "threads",
  "body",
  "relay",
  "long-prompt",
  "idle",
  "extproc",
  "simulation",
  "compare",
] as const;
type ProgramName = (typeof PROGRAMS)[number];

const PROGRAM_MINUTES_MAX = 15;
// Beside more work than this a run tells of that work as well.
const OTHER_CORES_MAX = 0.1;

interface BenchFlags {
  readonly only: readonly ProgramName[];
  readonly isShort: boolean;
  readonly json: string | undefined;
}

/** What `--json` writes. */
export interface BenchReport {
  readonly startedAt: string;
  readonly isShort: boolean;
  readonly machine: MachineFacts;
  readonly loadAtStart: number;
  readonly loadAtEnd: number;
  readonly missed: readonly string[];
  readonly results: readonly ProgramResult[];
}

interface ProgramResult {
  readonly program: ProgramName;
  readonly seconds: number;
  /** Cores that the machine's other work used meanwhile. */
  readonly otherCores: number | null;
  /** Null when it ended without its figures. */
  readonly measures: readonly Measure[] | null;
}

if (import.meta.main) await runSuite(readFlags(process.argv.slice(2)));

async function runSuite({ only, isShort, json }: BenchFlags): Promise<void> {
  const loadAtStart = loadAverage();
  const startedAt = new Date().toISOString();
  const results: ProgramResult[] = [];
  const report = (): BenchReport => ({
    startedAt,
    isShort,
    machine: machineFacts(),
    loadAtStart,
    loadAtEnd: loadAverage(),
    missed: missedOf(results),
    results,
  });
  for (const program of only) {
    console.log(`\n== ${program}`);
    results.push(await runOne(program, isShort));
    // A run that is ended early leaves what it has.
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(report(), null, 2)}\n`);
  }
  print(report());
  if (results.some(({ measures }) => measures === null)) process.exitCode = 1;
}

function print({ startedAt, machine, loadAtStart, loadAtEnd, missed, results }: BenchReport): void {
  const { cores, cpu, node } = machine;
  const figures = figuresOf(results);
  console.log(`\n${measureTable(figures)}\n`);
  console.log(`${cores} cores of ${cpu}, Node ${node}, ${startedAt}`);
  console.log(`load average ${loadAtStart.toFixed(2)} at start, ${loadAtEnd.toFixed(2)} at end`);
  for (const { program, measures, otherCores } of results) {
    if (measures === null) console.log(`${program} gave no figures`);
    else if (otherCores !== null && otherCores > OTHER_CORES_MAX) {
      const used = `other work used ${otherCores.toFixed(2)} cores`;
      console.log(`${program}: ${used} meanwhile, so its times are not to be quoted`);
    }
  }
  const promised = figures.filter(({ budget }) => budget !== undefined).length;
  console.log(`${missed.length} of ${promised} budgets missed`);
}

function figuresOf(results: readonly ProgramResult[]): readonly Measure[] {
  return results.flatMap(({ measures }) => measures ?? []);
}

/** Figures that are taken against several peers bear the same name. */
function missedOf(results: readonly ProgramResult[]): readonly string[] {
  return figuresOf(results)
    .filter((measure) => isMet(measure) === false)
    .map(({ name, peer }) => (peer === undefined ? name : `${name} (${peer})`));
}

/** One program as the leader of a group, which is ended as one when its time is over. */
async function runOne(program: ProgramName, isShort: boolean): Promise<ProgramResult> {
  const startMs = performance.now();
  const others = new OtherWork();
  const file = join(import.meta.dirname, `${program}.ts`);
  const child = fork(file, isShort ? ["--short"] : [], {
    execArgv: ["--expose-gc"],
    detached: true,
  });
  let measures: readonly Measure[] | null = null;
  child.on("message", (told) => {
    measures = told as readonly Measure[];
  });
  const end = (): void => {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  };
  const stop = (): void => {
    end();
    process.exit(130);
  };
  const timer = setTimeout(end, PROGRAM_MINUTES_MAX * 60_000);
  process.once("SIGINT", stop).once("SIGTERM", stop);
  // Its figures have arrived once the channel is closed.
  await Promise.all([once(child, "exit"), once(child, "disconnect")]);
  process.off("SIGINT", stop).off("SIGTERM", stop);
  clearTimeout(timer);
  const seconds = (performance.now() - startMs) / 1000;
  return { program, seconds, otherCores: others.cores(), measures };
}

function readFlags(args: readonly string[]): BenchFlags {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        only: { type: "string" },
        short: { type: "boolean", default: false },
        json: { type: "string" },
      },
    });
    // A path that cannot be written is told before the run.
    if (values.json !== undefined) writeFileSync(values.json, "");
    const only = values.only?.split(",").map(programOf) ?? PROGRAMS;
    return { only, isShort: values.short, json: values.json };
  } catch (error) {
    console.error((error as Error).message);
    process.exit(2);
  }
}

function programOf(name: string): ProgramName {
  const known = PROGRAMS.find((program) => program === name);
  if (known === undefined) {
    throw new Error(`--only ${name}: no such benchmark (allowed: ${PROGRAMS.join(", ")})`);
  }
  return known;
}

// Times decisions of 1, 2 and 4 threads on one pool, and what the lock costs them:
//   node test/bench/threads.ts [--short] [milliseconds] [endpoints…]
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { type PoolNews, sharedPool } from "../../src/director/pool-sharing.ts";
import { poolWith } from "../fixtures/pool-core.ts";
import { CACHE_AWARE } from "./cache-aware-pool.ts";
import { type BenchRun, type Measure, runProgram } from "./measure.ts";
import type { ThreadBench, ThreadFigures } from "./threads-thread.ts";

/** Work beside a decision: none, and about what an HTTP exchange costs. */
const PAUSES_US = [0, 100];
// Of two threads beside one.
const RATE_MIN = 1.6;
const CPU_MAX = 1.05;

if (import.meta.main) await runProgram(measureThreads);

/** Decisions a second, and CPU of a decision with its other work, of several threads beside one. */
export async function measureThreads(run: BenchRun): Promise<readonly Measure[]> {
  const [runMs = run.isShort ? 1000 : 3000, ...sizes] = run.numbers;
  const measures: Measure[] = [];
  for (const endpoints of sizes.length > 0 ? sizes : [8, 100]) {
    for (const pauseUs of PAUSES_US) {
      const under = { endpoints, pauseUs, runMs };
      const alone = await totals(1, under);
      for (const threads of [2, 4]) {
        measures.push(...beside({ threads, under, alone, together: await totals(threads, under) }));
      }
    }
  }
  return measures;
}

interface ThreadLoad {
  readonly endpoints: number;
  readonly pauseUs: number;
  readonly runMs: number;
}

interface ThreadTotals {
  readonly perSecond: number;
  /** Of one decision with its other work. */
  readonly cpuUs: number;
}

function beside(runs: {
  readonly threads: number;
  readonly under: ThreadLoad;
  readonly alone: ThreadTotals;
  readonly together: ThreadTotals;
}): Measure[] {
  const { threads, under, alone, together } = runs;
  const name = `${threads} threads, ${under.endpoints} endpoints, ${under.pauseUs} us of other work`;
  const [rate, cpu] = [together.perSecond / alone.perSecond, together.cpuUs / alone.cpuUs];
  const isPromised = threads === 2;
  const peer = "1 thread";
  return [
    {
      name: `${name}: rate`,
      value: together.perSecond,
      unit: "decisions/s",
      peer,
      ratio: rate,
      ...(isPromised && { budget: { limit: RATE_MIN, isAtLeast: true, isRatio: true } }),
    },
    {
      name: `${name}: CPU`,
      value: together.cpuUs,
      unit: "us",
      peer,
      ratio: cpu,
      ...(isPromised && { budget: { limit: CPU_MAX, isAtLeast: false, isRatio: true } }),
    },
  ];
}

async function totals(threads: number, under: ThreadLoad): Promise<ThreadTotals> {
  const figures = await measure(threads, under);
  const perSecond = figures.reduce((sum, { decisions, ms }) => sum + (1000 * decisions) / ms, 0);
  const decisions = figures.reduce((sum, figure) => sum + figure.decisions, 0);
  const cpuUs = figures.reduce((sum, figure) => sum + figure.cpuUs, 0) / decisions;
  printLock(`${under.endpoints} endpoints, ${threads} threads`, { figures, decisions });
  return { perSecond, cpuUs: cpuUs + under.pauseUs };
}

async function measure(
  threads: number,
  { endpoints, pauseUs, runMs }: ThreadLoad,
): Promise<readonly ThreadFigures[]> {
  const shared = sharedPool({ deciders: threads, inFlightMax: 10_000 });
  const tell = (_news: PoolNews): void => undefined;
  const { core } = poolWith({
    ...CACHE_AWARE,
    endpoints: Array.from({ length: endpoints }, (_, at) => ({ queue: at % 20, kv: (at % 7) / 7 })),
    sharing: { ...shared, thread: 0, news: [], tell },
  });
  const ready = new Int32Array(new SharedArrayBuffer(4));
  const workers = Array.from({ length: threads }, (_, at) => {
    const sharing = { ...shared, thread: at + 1, news: core.pool.news() };
    const workerData: ThreadBench = { sharing, runMs, pauseUs, threads, ready };
    return new Worker(new URL("threads-thread.ts", import.meta.url), { workerData });
  });
  return await Promise.all(
    workers.map(async (worker) => {
      const [figures] = (await once(worker, "message")) as [ThreadFigures];
      return figures;
    }),
  );
}

/** What the lock costs: how often it was taken, and how long it takes to enter. */
function printLock(
  name: string,
  { figures, decisions }: { figures: readonly ThreadFigures[]; decisions: number },
): void {
  const waits = Float64Array.from(figures.flatMap(({ waitsUs }) => [...waitsUs])).sort();
  const mean = waits.reduce((sum, us) => sum + us, 0) / waits.length;
  const p99 = waits[Math.floor(0.99 * (waits.length - 1))] ?? Number.NaN;
  const contended = figures.reduce((sum, figure) => sum + figure.contended, 0) / decisions;
  console.log(
    `${name}: ${(100 * contended).toFixed(1)} % contended, ` +
      `wait mean ${mean.toFixed(2)} us, p99 ${p99.toFixed(1)} us`,
  );
}

// Times decisions of 1, 2 and 4 threads on one pool, and what the lock costs them:
//   node test/bench/threads.ts [milliseconds] [endpoints…]
import { once } from "node:events";
import process from "node:process";
import { Worker } from "node:worker_threads";
import { type PoolNews, sharedPool } from "../../src/director/pool-sharing.ts";
import { poolWith } from "../fixtures/pool-core.ts";
import { PREFIX_PLUGINS, type ThreadBench, type ThreadFigures } from "./threads-thread.ts";

const [runMs = 3000, ...sizes] = process.argv.slice(2).map(Number);
/** Work beside a decision: none, and about what an HTTP exchange costs. */
const PAUSES_US = [0, 100];

for (const endpoints of sizes.length > 0 ? sizes : [8, 100]) {
  for (const pauseUs of PAUSES_US) {
    let alone = 0;
    for (const threads of [1, 2, 4]) {
      const figures = await measure(threads, endpoints, pauseUs);
      const perSecond = figures.reduce(
        (sum, { decisions, ms }) => sum + (1000 * decisions) / ms,
        0,
      );
      if (threads === 1) alone = perSecond;
      report({ threads, endpoints, pauseUs, perSecond, ratio: perSecond / alone, figures });
    }
  }
}

async function measure(
  threads: number,
  endpoints: number,
  pauseUs: number,
): Promise<readonly ThreadFigures[]> {
  const shared = sharedPool({ deciders: threads, inFlightMax: 10_000 });
  const tell = (_news: PoolNews): void => undefined;
  const { core } = poolWith({
    ...PREFIX_PLUGINS,
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

function report(run: {
  threads: number;
  endpoints: number;
  pauseUs: number;
  perSecond: number;
  ratio: number;
  figures: readonly ThreadFigures[];
}): void {
  const { threads, endpoints, pauseUs, figures } = run;
  const waits = Float64Array.from(figures.flatMap(({ waitsUs }) => [...waitsUs])).sort();
  const mean = waits.reduce((sum, us) => sum + us, 0) / waits.length;
  const p99 = waits[Math.floor(0.99 * (waits.length - 1))] ?? Number.NaN;
  const decisions = figures.reduce((sum, figure) => sum + figure.decisions, 0);
  const contended = figures.reduce((sum, figure) => sum + figure.contended, 0) / decisions;
  const cpuUs = figures.reduce((sum, figure) => sum + figure.cpuUs, 0) / decisions;
  console.log(
    `${endpoints} endpoints, ${pauseUs} us of other work, ${threads} threads: ` +
      `${(run.perSecond / 1000).toFixed(1)}k decisions/s (${run.ratio.toFixed(2)}x), ` +
      `CPU ${cpuUs.toFixed(1)} us each, ${(100 * contended).toFixed(1)} % contended, ` +
      `wait mean ${mean.toFixed(2)} us, p99 ${p99.toFixed(1)} us`,
  );
}

import process from "node:process";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { noLog } from "../../src/core/log.ts";
import { noMeter } from "../../src/core/meter.ts";
import { SeededRng } from "../../src/core/rng.ts";
import type { PoolSharing } from "../../src/director/pool-sharing.ts";
import { SharedLock } from "../../src/endpoints/shared-lock.ts";
import { BytesPrompt } from "../../src/request/prompt.ts";
import { blockHasher } from "../fixtures/block-hasher.ts";
import { completed, decided, poolWith } from "../fixtures/pool-core.ts";
import { requestWith } from "../fixtures/request-with.ts";
import { BLOCK_BYTES, CACHE_AWARE, PROMPT_BLOCKS } from "./cache-aware-pool.ts";

/** What a measuring thread gets. */
export interface ThreadBench {
  readonly sharing: Omit<PoolSharing, "tell">;
  readonly runMs: number;
  readonly pauseUs: number;
  readonly threads: number;
  /** How many threads are warm. */
  readonly ready: Int32Array;
}

/** What it measured. */
export interface ThreadFigures {
  readonly decisions: number;
  readonly ms: number;
  /** CPU of the thread. */
  readonly cpuUs: number;
  readonly contended: number;
  /** Of every 16th entry of the lock. */
  readonly waitsUs: Float64Array;
}

if (!isMainThread) parentPort?.postMessage(run(workerData as ThreadBench));

function run({ sharing, runMs, pauseUs, threads, ready }: ThreadBench): ThreadFigures {
  const { core } = poolWith({
    ...CACHE_AWARE,
    endpoints: [],
    meter: noMeter,
    log: noLog,
    sharing: { ...sharing, tell: () => undefined },
  });
  const rng = new SeededRng(3, sharing.thread);
  const bytes = Array.from({ length: 64 }, (_, at) => {
    const group = new SeededRng(at % 8);
    return Uint8Array.from({ length: PROMPT_BLOCKS * BLOCK_BYTES }, () => group.below(256));
  });
  const ordinary = requestWith();
  const options = { hasher: blockHasher, model: "m", cacheSalt: undefined };
  const decide = (): void => {
    const own = bytes[rng.below(bytes.length)] as Uint8Array;
    // The second half is one of 4096 tails.
    new DataView(own.buffer).setInt32(own.length / 2, rng.below(4096));
    const request = { ...ordinary, prompt: new BytesPrompt(own, options) };
    core.end(decided(core, request).decision, "completed", completed, 0);
    const untilMs = performance.now() + pauseUs / 1000;
    while (performance.now() < untilMs);
  };
  const waits: number[] = [];
  const { lock } = core.pool.part;
  for (let warm = 0; warm < 3000; warm++) decide();
  const enter = lock.enter.bind(lock);
  let entries = 0;
  lock.enter = () => {
    if (entries++ % 16 !== 0) return enter();
    const startMs = performance.now();
    enter();
    waits.push(1000 * (performance.now() - startMs));
  };
  const contendedBefore = lock instanceof SharedLock ? lock.contendedCount : 0;
  Atomics.add(ready, 0, 1);
  while (Atomics.load(ready, 0) < threads);
  const startMs = performance.now();
  const before = process.threadCpuUsage();
  let decisions = 0;
  for (; performance.now() - startMs < runMs; decisions++) decide();
  const ms = performance.now() - startMs;
  const { user, system } = process.threadCpuUsage(before);
  return {
    decisions,
    ms,
    cpuUs: user + system - pauseUs * decisions,
    contended: (lock instanceof SharedLock ? lock.contendedCount : 0) - contendedBefore,
    waitsUs: Float64Array.from(waits),
  };
}

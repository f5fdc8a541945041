import { performance } from "node:perf_hooks";
import process from "node:process";
import type { Clock } from "../core/clock.ts";

/** Milliseconds of the clock that all threads of the process have in common. */
export function processNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Wall milliseconds since `startMs` of the common clock; each thread's own clock starts with the thread. */
export function processClock(startMs: number): Clock {
  const offsetMs = processNowMs() - performance.now() - startMs;
  return { nowMs: () => performance.now() + offsetMs };
}

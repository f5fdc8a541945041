import { performance } from "node:perf_hooks";
import type { Clock } from "../core/clock.ts";

/** Engine time of this process: wall milliseconds since the call, times the scale. */
export function scaledClock(timeScale: number): Clock {
  const startMs = performance.now();
  return { nowMs: () => (performance.now() - startMs) * timeScale };
}

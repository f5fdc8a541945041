import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import process from "node:process";

/** Where a run took place. */
export interface MachineFacts {
  readonly cores: number;
  readonly cpu: string;
  readonly node: string;
}

export function machineFacts(): MachineFacts {
  const cpu = cpus()[0]?.model ?? "unknown";
  return { cores: availableParallelism(), cpu, node: process.version };
}

/** Mean number of runnable threads in the last minute. */
export function loadAverage(): number {
  return loadavg()[0] ?? Number.NaN;
}

// USER_HZ, the unit of all CPU times in /proc.
const TICKS_PER_SECOND = 100;

/** Tells how many cores others used since it was made, this process and its ended children left out. */
export class OtherWork {
  readonly #startMs = performance.now();
  readonly #startTicks = otherTicks();

  /** Null where there is no /proc. */
  cores(): number | null {
    const ticks = otherTicks();
    if (ticks === undefined || this.#startTicks === undefined) return null;
    const seconds = (performance.now() - this.#startMs) / 1000;
    return Math.max(0, (ticks - this.#startTicks) / TICKS_PER_SECOND / seconds);
  }
}

function otherTicks(): number | undefined {
  if (!existsSync("/proc/self/stat")) return undefined;
  const [, ...all] =
    readFileSync("/proc/stat", "utf8").split("\n", 1)[0]?.trim().split(/\s+/) ?? [];
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = all.map(Number);
  // The name before the closing bracket may hold spaces.
  const own = readFileSync("/proc/self/stat", "utf8").split(") ").at(-1)?.split(" ") ?? [];
  // utime, stime, cutime and cstime of proc_pid_stat(5).
  const ours = own.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
  return user + nice + system + irq + softirq + steal - ours;
}

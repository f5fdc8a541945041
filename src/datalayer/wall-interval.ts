/** Wall milliseconds below which no background loop goes, however fast engine time runs. */
const WALL_MS_MIN = 20;

/** An interval of engine time as wall time; `timeScale` is engine seconds a wall second. */
export function wallInterval(engineMs: number, timeScale: number): number {
  return Math.max(WALL_MS_MIN, engineMs / timeScale);
}

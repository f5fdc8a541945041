/** Distance of the moments at which waits end, in wall milliseconds. */
export const GRID_MS = 100;

// One for the thread, as its event loop is.
const wakersByMoment = new Map<number, (() => void)[]>();
let timer: NodeJS.Timeout | undefined;
let timerMoment = Number.POSITIVE_INFINITY;

/**
 * Calls back after about `ms`, at a moment that all waits have in common: a router at rest that woke up
 * for each of its endpoints alone took twice the CPU time. Waits shorter than the grid are kept exactly.
 */
export function waitAligned(ms: number, wake: () => void): void {
  if (ms < GRID_MS) {
    setTimeout(wake, ms);
    return;
  }
  const moment = Math.round((performance.now() + ms) / GRID_MS);
  const wakers = wakersByMoment.get(moment);
  if (wakers === undefined) wakersByMoment.set(moment, [wake]);
  else wakers.push(wake);
  if (moment < timerMoment) arm(moment);
}

function arm(moment: number): void {
  clearTimeout(timer);
  timerMoment = moment;
  const delayMs = Math.max(1, Math.ceil(moment * GRID_MS - performance.now()));
  // What is left behind by a reader that was closed must not keep the process.
  timer = setTimeout(wakeDue, delayMs).unref();
}

function wakeDue(): void {
  timerMoment = Number.POSITIVE_INFINITY;
  const now = performance.now() / GRID_MS;
  const due = [...wakersByMoment].filter(([moment]) => moment <= now);
  for (const [moment] of due) wakersByMoment.delete(moment);
  const next = Math.min(...wakersByMoment.keys());
  if (next < Number.POSITIVE_INFINITY) arm(next);
  for (const wake of due.flatMap(([, wakers]) => wakers)) wake();
}

/** Distance of the moments at which waits end, in wall milliseconds. */
export const GRID_MS = 100;

// One for the thread, as its event loop is.
const wakersByMoment = new Map<number, (() => void)[]>();
let timer: NodeJS.Timeout | undefined;
let timerMoment = Number.POSITIVE_INFINITY;

/** Shorter waits are kept exactly: half a step of the grid is a tenth of this one. */
export const ALIGNED_FROM_MS: number = 5 * GRID_MS;

/**
 * Calls back after about `ms`, at a moment that all waits have in common: a router at rest that woke up
 * for each of its endpoints alone took twice the CPU time.
 */
export function waitAligned(ms: number, wake: () => void): void {
  const moment = Math.max(Math.round((performance.now() + ms) / GRID_MS), nextMoment());
  const wakers = wakersByMoment.get(moment);
  if (wakers === undefined) wakersByMoment.set(moment, [wake]);
  else wakers.push(wake);
  if (moment < timerMoment) arm(moment);
}

/** One that is still to come. */
function nextMoment(): number {
  return Math.floor(performance.now() / GRID_MS) + 1;
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

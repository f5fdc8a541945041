/** Candidates that a picker ranks: more than retries use and than a large decision lists. */
export const RANKED_MAX = 32;

/** How many of `count` candidates a picker ranks when it advertises `advertised` of them. */
export function rankedCount(count: number, advertised: number): number {
  return Math.min(count, Math.max(RANKED_MAX, advertised));
}

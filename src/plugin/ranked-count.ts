/** Up to this many candidates are ranked to the last. */
export const RANKED_ALL_MAX = 128;
/** Of more candidates this many are: a decision lists no more, and a retry needs fewer. */
export const RANKED_OF_MANY = 32;

/** How many of `count` candidates a picker ranks when it advertises `advertised` of them. */
export function rankedCount(count: number, advertised: number): number {
  return count <= RANKED_ALL_MAX ? count : Math.min(count, Math.max(RANKED_OF_MANY, advertised));
}

import type { PoolRouterCore } from "../director/pool-router-core.ts";
import type { DecisionNumber } from "../director/router-core.ts";

/**
 * Totals of a decision's candidates by address, of the profile that chose the destination; candidates
 * that a filter rejected have none. A decision among more than 128 keeps those of the best 32.
 */
export function endpointScores(
  core: Pick<PoolRouterCore, "decisions" | "endpoints" | "slotOf">,
  number: DecisionNumber,
): ReadonlyMap<string, number> {
  const scores = new Map<string, number>();
  const decision = core.decisions.read(number);
  const chosen = decision?.profiles.findLast(({ picked }) => picked === decision.endpoint);
  for (const { endpoint, total } of chosen?.candidates ?? []) {
    const slot = core.slotOf(endpoint);
    if (total !== null && slot !== undefined) scores.set(core.endpoints.address(slot), total);
  }
  return scores;
}

import { z } from "zod";
import type { EndpointId } from "../../core/brand.ts";
import type { Candidates, Cycle } from "../../plugin/cycle.ts";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";
import { instanceName, referencesTo } from "../../plugin/plugin-references.ts";
import { type PrefixMatch, prefixMatch, requestAttribute } from "../../plugin/request-attribute.ts";
import { UNKNOWN_SCORE } from "../../plugin/score-scale.ts";

const decodeParams = paramsOf(
  z.strictObject({
    /** Endpoints remembered. */
    lruSize: z.int().positive().default(1024),
    prefixMatchInfoProducerName: instanceName,
    /** Of older versions; neither was ever used. */
    prefixPluginType: z.string().optional(),
    prefixPluginName: z.string().optional(),
  }),
);

/** Whether no candidate of the last scored profile held any of the prompt. */
const isColdRequest = requestAttribute<boolean>("is-cold-request");

/** Spreads prompts that nobody holds: the endpoint that got such a one longest ago scores highest. */
export const noHitLruScorer: PluginDefinition = definePlugin({
  type: "no-hit-lru-scorer",
  stability: "stable",
  state: "private",
  roles: ["score", "onPlan"],
  reads: [prefixMatch],
  params: decodeParams,
  references: ({ prefixMatchInfoProducerName }) =>
    referencesTo("produce", { prefixMatchInfoProducerName }),
  create: ({ lruSize, prefixMatchInfoProducerName }, handle) => {
    const uses = new ColdUses(lruSize);
    return {
      score(cycle, candidates, scores) {
        const match = cycle.get(prefixMatch, prefixMatchInfoProducerName);
        const isCold = match !== undefined && !hasHit(candidates, match);
        cycle.set(isColdRequest, isCold, handle.name);
        if (isCold) scoreByAge(cycle, candidates, scores, uses.positions());
        else scores.fill(UNKNOWN_SCORE, 0, candidates.count);
      },
      onPlan(cycle, plan) {
        if (cycle.get(isColdRequest, handle.name) !== true) return;
        for (const slot of [plan.primary[0], plan.prefill[0]]) {
          if (slot !== undefined) uses.touch(handle.endpoints.id(slot));
        }
      },
      onEndpoint(slot, change) {
        if (change === "removed") uses.forget(handle.endpoints.id(slot));
      },
      dumpState: () => ({ oldestFirst: [...uses.positions().keys()] }),
      saveState: () => uses,
      loadState(state) {
        if (state instanceof ColdUses) uses.adopt(state);
      },
    };
  },
});

/** Endpoints in the order in which they last got a cold request. */
class ColdUses {
  readonly #capacity: number;
  /** Oldest first. */
  readonly #ids = new Set<EndpointId>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  touch(id: EndpointId): void {
    this.#ids.delete(id);
    this.#ids.add(id);
    if (this.#ids.size <= this.#capacity) return;
    const [oldest] = this.#ids;
    if (oldest !== undefined) this.#ids.delete(oldest);
  }

  forget(id: EndpointId): void {
    this.#ids.delete(id);
  }

  adopt(earlier: ColdUses): void {
    for (const id of earlier.#ids) this.touch(id);
  }

  /** Position of each endpoint, 0 is the oldest. */
  positions(): ReadonlyMap<EndpointId, number> {
    return new Map([...this.#ids].map((id, position) => [id, position]));
  }
}

function hasHit(candidates: Candidates, match: PrefixMatch): boolean {
  for (let i = 0; i < candidates.count; i++) {
    if ((match.matchedBySlot[candidates.slots[i] as number] ?? 0) > 0) return true;
  }
  return false;
}

/** Never used endpoints come first, in the candidates' order, then the used ones by age. */
function scoreByAge(
  cycle: Cycle,
  candidates: Candidates,
  scores: Float64Array,
  positions: ReadonlyMap<EndpointId, number>,
): void {
  const { count } = candidates;
  const lastRank = Math.max(1, count - 1);
  let unusedCount = 0;
  for (let i = 0; i < count; i++) {
    if (positions.has(cycle.endpoints.id(candidates.slots[i] as number))) continue;
    scores[i] = 1 - unusedCount++ / lastRank;
  }
  for (let i = 0; i < count; i++) {
    const position = positions.get(cycle.endpoints.id(candidates.slots[i] as number));
    if (position === undefined) continue;
    // A lone candidate is the best there is, whatever stands before it in the list.
    scores[i] = count === 1 ? 1 : Math.max(0, 1 - (unusedCount + position) / lastRank);
  }
}

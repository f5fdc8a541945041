// A scorer outside of the program's tree: switchyard up … --plugin examples/plugins/fewest-in-flight-scorer.ts
// It imports types only, which Node strips, so it can stand in any folder.
import type { PluginDefinition } from "../../src/plugin/define-plugin.ts";
import type { PluginApi } from "../../src/plugin/plugin-api.ts";

/** Prefers endpoints to which this router has sent the fewest requests that have not ended. */
export function plugin(api: PluginApi): PluginDefinition {
  const { inFlightRequests } = api.columns;
  return api.definePlugin({
    type: "fewest-in-flight-scorer",
    stability: "stable",
    state: "none",
    roles: ["score"],
    params: api.noParams,
    create: () => ({
      score(cycle, candidates, scores) {
        const inFlight = cycle.column(inFlightRequests);
        const range = api.knownRange(inFlight, candidates);
        for (let i = 0; i < candidates.count; i++) {
          const count = inFlight[candidates.slots[i] ?? 0] ?? Number.NaN;
          scores[i] = api.lowerIsBetter(count, range);
        }
      },
    }),
  });
}

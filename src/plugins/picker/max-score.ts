import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { advertisedCount, pickerParams } from "../../plugin/picker-params.ts";
import { shuffledIndexes } from "../../plugin/shuffle.ts";

/** Orders by total score, highest first; the shuffle before the stable sort makes ties uniform. */
export const maxScorePicker: PluginDefinition = definePlugin({
  type: "max-score-picker",
  stability: "stable",
  roles: ["pick"],
  params: pickerParams,
  create: ({ maxNumOfEndpoints }) => ({
    pick(cycle, candidates, totals, order) {
      shuffledIndexes(order, candidates.count, cycle.rng);
      order
        .subarray(0, candidates.count)
        .sort((left, right) => (totals[right] as number) - (totals[left] as number));
      return advertisedCount(maxNumOfEndpoints, candidates.count);
    },
  }),
});

import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { advertisedCount, pickerParams } from "../../plugin/picker-params.ts";
import { shuffledIndexes } from "../../plugin/shuffle.ts";

/** Orders uniformly at random; scores do not matter. */
export const randomPicker: PluginDefinition = definePlugin({
  type: "random-picker",
  stability: "stable",
  state: "none",
  roles: ["pick"],
  params: pickerParams,
  create: ({ maxNumOfEndpoints }) => ({
    pick(cycle, candidates, _totals, order) {
      shuffledIndexes(order, candidates.count, cycle.rng);
      return advertisedCount(maxNumOfEndpoints, candidates.count);
    },
  }),
});

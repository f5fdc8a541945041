import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { advertisedCount, pickerParams } from "../../plugin/picker-params.ts";
import { TotalOrder } from "../../plugin/total-order.ts";

/** Orders by total score, highest first; ties are drawn by lot, each order alike. */
export const maxScorePicker: PluginDefinition = definePlugin({
  type: "max-score-picker",
  stability: "stable",
  state: "none",
  roles: ["pick"],
  params: pickerParams,
  create: ({ maxNumOfEndpoints }) => {
    const byTotal = new TotalOrder();
    return {
      pick(cycle, candidates, totals, order) {
        const advertised = advertisedCount(maxNumOfEndpoints, candidates.count);
        byTotal.write(order, totals, candidates.count, { advertised, rng: cycle.rng });
        return advertised;
      },
    };
  },
});

import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { advertisedCount, pickerParams } from "../../plugin/picker-params.ts";
import { shuffledIndexes } from "../../plugin/shuffle.ts";

/**
 * Draws without replacement in proportion to the totals (A-Res): endpoint i is first with probability
 * total i / sum. Totals of 0 and less come last, in random order.
 */
export const weightedRandomPicker: PluginDefinition = definePlugin({
  type: "weighted-random-picker",
  stability: "stable",
  state: "none",
  roles: ["pick"],
  params: pickerParams,
  create: ({ maxNumOfEndpoints }) => {
    let keys = new Float64Array(0);
    return {
      pick(cycle, candidates, totals, order) {
        const { count } = candidates;
        if (keys.length < count) keys = new Float64Array(2 * count);
        for (let i = 0; i < count; i++) {
          const total = totals[i] as number;
          // ln of U^(1/total): the same order, and no underflow for small totals.
          keys[i] = total > 0 ? Math.log(1 - cycle.rng.next()) / total : Number.NEGATIVE_INFINITY;
        }
        shuffledIndexes(order, count, cycle.rng);
        order.subarray(0, count).sort((left, right) => {
          const [leftKey, rightKey] = [keys[left] as number, keys[right] as number];
          return leftKey === rightKey ? 0 : rightKey - leftKey;
        });
        return advertisedCount(maxNumOfEndpoints, count);
      },
    };
  },
});

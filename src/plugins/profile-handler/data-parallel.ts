import { z } from "zod";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { onlyProfileFault, onlyProfileHandler } from "../../plugin/only-profile.ts";
import { paramsOf } from "../../plugin/params.ts";

const decodeParams = paramsOf(
  z.strictObject({
    /** Port of the sidecar that stands before all ranks of a host. */
    primaryPort: z.int().min(1).max(65_535).default(8000),
  }),
);

/**
 * Picks one data-parallel rank and sends the request to its host's primary port, with the rank named
 * by header.
 */
export const dataParallelProfileHandler: PluginDefinition = definePlugin({
  type: "data-parallel-profile-handler",
  stability: "deprecated",
  state: "none",
  roles: ["handler"],
  params: decodeParams,
  profilesFault: (_params, profiles) => onlyProfileFault("data-parallel-profile-handler", profiles),
  create: ({ primaryPort }) => ({
    handler: {
      pick: onlyProfileHandler.pick,
      result(cycle) {
        const result = onlyProfileHandler.result(cycle);
        return result.kind === "scheduled" ? { ...result, primaryPort } : result;
      },
    },
  }),
});

import { z } from "zod";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";
import { setEncodersHeader, setPrefillerHeader } from "../../plugin/stage-headers.ts";

const decodeParams = paramsOf(
  z.strictObject({
    /**
     * Accepted as files write them: which profile chose for a stage is the profile handler's word.
     */
    prefillProfile: z.string().min(1).default("prefill"),
    encodeProfile: z.string().min(1).default("encode"),
  }),
);

/** Writes the chosen prefill and encode endpoints for the sidecar. */
export const disaggHeadersHandler: PluginDefinition = definePlugin({
  type: "disagg-headers-handler",
  stability: "deprecated",
  state: "none",
  roles: ["onPlan"],
  params: decodeParams,
  create: (_params, handle) => ({
    onPlan(_cycle, plan) {
      setPrefillerHeader(plan, handle);
      setEncodersHeader(plan, handle);
    },
  }),
});

import { z } from "zod";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";
import { requestedStage } from "../../plugin/request-attribute.ts";
import { setPrefillerHeader } from "../../plugin/stage-headers.ts";

/**
 * Header by which a client asks for one stage alone; its value was checked when the request was
 * read.
 */
const STAGE_HEADER = "x-prefill";

/** Reads the client's `X-Prefill` and writes the chosen prefill endpoints for the sidecar. */
export const prefillHeaderHandler: PluginDefinition = definePlugin({
  type: "prefill-header-handler",
  stability: "deprecated",
  state: "none",
  roles: ["onRequest", "onPlan"],
  produces: [requestedStage],
  params: paramsOf(z.strictObject({ prefillProfile: z.string().min(1).default("prefill") })),
  create: (_params, handle) => ({
    onRequest(request, attributes) {
      const asked = request.header(STAGE_HEADER)?.toLowerCase();
      if (asked === "true") attributes.set(requestedStage, "prefill");
      if (asked === "false") attributes.set(requestedStage, "decode");
    },
    onPlan(_cycle, plan) {
      setPrefillerHeader(plan, handle);
    },
  }),
});

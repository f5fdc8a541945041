import { definePlugin, noParams, type PluginDefinition } from "../../plugin/define-plugin.ts";

/** Splits encoding off every request that has an image, audio or video. */
export const alwaysDisaggMultimodalDecider: PluginDefinition = definePlugin({
  type: "always-disagg-multimodal-decider",
  stability: "stable",
  state: "none",
  roles: ["decide"],
  params: noParams,
  create: () => ({ decide: (cycle) => cycle.request.mediaCount > 0 }),
});

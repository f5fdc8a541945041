import { definePlugin, noParams, type PluginDefinition } from "../../plugin/define-plugin.ts";

/** Splits prefill off every request. */
export const alwaysDisaggPdDecider: PluginDefinition = definePlugin({
  type: "always-disagg-pd-decider",
  stability: "stable",
  state: "none",
  roles: ["decide"],
  params: noParams,
  create: () => ({ decide: () => true }),
});

import { definePlugin, noParams, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { onlyProfileFault, onlyProfileHandler } from "../../plugin/only-profile.ts";

/** Runs the one profile there is: every request takes the same way. */
export const singleProfileHandler: PluginDefinition = definePlugin({
  type: "single-profile-handler",
  stability: "stable",
  state: "none",
  roles: ["handler"],
  params: noParams,
  profilesFault: (_params, profiles) => onlyProfileFault("single-profile-handler", profiles),
  create: () => ({ handler: onlyProfileHandler }),
});

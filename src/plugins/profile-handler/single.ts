import type { HandlerCycle } from "../../plugin/cycle.ts";
import { definePlugin, noParams, type PluginDefinition } from "../../plugin/define-plugin.ts";
import type { HandlerResult, ProfileHandler } from "../../plugin/plugin-instance.ts";
import { rejectedOutcome } from "../../plugin/profile-rejection.ts";

/** Runs the one profile there is: every request takes the same way. */
export const singleProfileHandler: PluginDefinition = definePlugin({
  type: "single-profile-handler",
  stability: "stable",
  roles: ["handler"],
  params: noParams,
  profilesFault: (_params, profiles) =>
    profiles.length === 1
      ? undefined
      : `single-profile-handler runs exactly one profile, ${profiles.length} are configured`,
  create: () => ({ handler }),
});

const handler: ProfileHandler = {
  pick(cycle) {
    return cycle.profiles.filter((profile) => cycle.outcome(profile) === undefined);
  },
  result(cycle: HandlerCycle): HandlerResult {
    const [only] = cycle.profiles;
    const outcome = only === undefined ? undefined : cycle.outcome(only);
    if (only !== undefined && outcome?.kind === "picked") {
      return { kind: "scheduled", primary: only, prefill: undefined };
    }
    return { kind: "rejected", rejection: rejectedOutcome(only, outcome) };
  },
};

import { z } from "zod";
import type { ProfileName } from "../../core/brand.ts";
import type { HandlerCycle } from "../../plugin/cycle.ts";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { headerName } from "../../plugin/header-name.ts";
import { paramsOf } from "../../plugin/params.ts";
import type { HandlerResult } from "../../plugin/plugin-instance.ts";
import { rejectedOutcome } from "../../plugin/profile-rejection.ts";

const decodeParams = paramsOf(
  z.strictObject({
    /** Header whose value names the profile, exactly as the configuration writes it. */
    headerName: headerName.default("epp-profile"),
    /** Profile of a request whose header is missing or blank. */
    defaultProfile: z.string().min(1).default("decode"),
  }),
);

/** Runs the one profile that the caller names by header, as a coordinator does for each stage. */
export const headerProfileHandler: PluginDefinition = definePlugin({
  type: "header-profile-handler",
  stability: "alpha",
  state: "none",
  roles: ["handler"],
  params: decodeParams,
  create: ({ headerName: header, defaultProfile }) => {
    const chosen = (cycle: HandlerCycle): ProfileName | undefined => {
      if (cycle.profiles.length === 1) return cycle.profiles[0];
      const asked = cycle.request.header(header)?.trim() || defaultProfile;
      return cycle.profiles.find((profile) => profile === asked);
    };
    return {
      handler: {
        pick(cycle) {
          const profile = chosen(cycle);
          return profile === undefined || cycle.outcome(profile) !== undefined ? [] : [profile];
        },
        result: (cycle) => resultOf(cycle, chosen(cycle), header),
      },
    };
  },
});

function resultOf(
  cycle: HandlerCycle,
  profile: ProfileName | undefined,
  header: string,
): HandlerResult {
  if (profile === undefined) {
    // llm-d answers 429 here as well: no profile that ran left an endpoint.
    const message = `the profile that header ${header} asks for is not configured`;
    return { kind: "rejected", rejection: { reason: "filtered-out", message } };
  }
  const outcome = cycle.outcome(profile);
  if (outcome?.kind !== "picked") {
    return { kind: "rejected", rejection: rejectedOutcome(profile, outcome) };
  }
  return { kind: "scheduled", primary: profile, prefill: undefined };
}

import type { HandlerCycle } from "./cycle.ts";
import type { HandlerResult, ProfileHandler } from "./plugin-instance.ts";
import { rejectedOutcome } from "./profile-rejection.ts";

/** Why the profiles do not suit a handler that runs the only one there is. */
export function onlyProfileFault(type: string, profiles: readonly string[]): string | undefined {
  return profiles.length === 1
    ? undefined
    : `${type} runs exactly one profile, ${profiles.length} are configured`;
}

/** Runs the one profile there is and sends the request where it says. */
export const onlyProfileHandler: ProfileHandler = {
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

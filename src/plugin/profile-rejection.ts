import type { Rejection } from "../core/rejection.ts";
import type { ProfileOutcome } from "./cycle.ts";

/** What a client is told when a profile that had to choose did not: a fault is 500, nobody left is 429. */
export function rejectedOutcome(
  profile: string | undefined,
  outcome: ProfileOutcome | undefined,
): Rejection {
  if (outcome?.kind === "failed") {
    return {
      reason: "plugin-failed",
      message: `plugin ${outcome.plugin} failed in profile ${profile ?? "?"}`,
    };
  }
  return {
    reason: "filtered-out",
    message: `no endpoint is left after the filters of profile ${profile ?? "?"}`,
  };
}

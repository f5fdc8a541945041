import { invariant } from "../core/invariant.ts";
import {
  kvCacheUsage,
  type NumericAttribute,
  waitingQueueDepth,
} from "../endpoints/numeric-attribute.ts";
import type { Decision, ProfileDecision } from "../scheduling/decision.ts";
import type { EndpointState } from "./endpoint-state.ts";
import { type ExplainQuestion, explainRequest } from "./explain-request.ts";

/** The smallest change of one figure of the runner-up that would have made it win. */
export interface Flip {
  readonly profile: string;
  readonly endpoint: string;
  readonly figure: "waitingQueueDepth" | "kvCacheUsage" | "cachedPrefixBytes";
  readonly from: number;
  readonly to: number;
}

/** Bytes in which a cached prefix is looked for: the smallest block that is in use. */
const PREFIX_STEP_BYTES = 64;
/** A share of KV cache is told to a thousandth. */
const USAGE_STEPS = 1000;

/**
 * What would flip each scored profile of a decision: every figure of its runner-up by itself, found by
 * deciding again with other figures. A figure that alone cannot flip it is left out.
 */
export function findFlips(question: ExplainQuestion, decision: Decision): readonly Flip[] {
  return decision.profiles
    .filter(({ scorers, runnerUp }) => scorers.length > 0 && runnerUp !== null)
    .flatMap((profile) => flipsOf(question, profile));
}

function flipsOf(question: ExplainQuestion, profile: ProfileDecision): readonly Flip[] {
  const { runnerUp } = profile;
  const state = question.endpoints.find(({ spec }) => spec.id === runnerUp);
  invariant(state !== undefined, "the runner-up is one of the endpoints");
  const wins = (changed: EndpointState): boolean => {
    const endpoints = question.endpoints.map((one) => (one === state ? changed : one));
    const again = explainRequest({ ...question, endpoints });
    const same = again.profiles.find((other) => other.profile === profile.profile);
    return same?.picked === state.spec.id && (same.margin ?? 0) > 0;
  };
  const flips: Flip[] = [];
  const add = (figure: Flip["figure"], from: number, to: number | undefined): void => {
    if (to === undefined) return;
    flips.push({ profile: profile.profile, endpoint: state.spec.id, figure, from, to });
  };
  const waiting = state.values.get(waitingQueueDepth) ?? 0;
  const fewer = leastStep(waiting, (step) =>
    wins(withValue(state, waitingQueueDepth, waiting - step)),
  );
  add("waitingQueueDepth", waiting, fewer === undefined ? undefined : waiting - fewer);

  const usage = Math.round((state.values.get(kvCacheUsage) ?? 0) * USAGE_STEPS);
  const less = leastStep(usage, (step) =>
    wins(withValue(state, kvCacheUsage, (usage - step) / USAGE_STEPS)),
  );
  add(
    "kvCacheUsage",
    usage / USAGE_STEPS,
    less === undefined ? undefined : (usage - less) / USAGE_STEPS,
  );

  const cached = state.cachedPrefixBytes;
  const promptBytes = question.request.body.length;
  const room = Math.max(0, Math.ceil((promptBytes - cached) / PREFIX_STEP_BYTES));
  const more = leastStep(room, (step) =>
    wins({ ...state, cachedPrefixBytes: cached + step * PREFIX_STEP_BYTES }),
  );
  add(
    "cachedPrefixBytes",
    cached,
    more === undefined ? undefined : cached + more * PREFIX_STEP_BYTES,
  );
  return flips;
}

function withValue(
  state: EndpointState,
  attribute: NumericAttribute,
  value: number,
): EndpointState {
  return { ...state, values: new Map(state.values).set(attribute, value) };
}

/** The least of 1..most steps from which on the test holds, by halving; undefined when it never does. */
function leastStep(most: number, holds: (step: number) => boolean): number | undefined {
  if (most < 1 || !holds(most)) return undefined;
  let fails = 0;
  let least = most;
  while (least - fails > 1) {
    const middle = Math.floor((fails + least) / 2);
    if (holds(middle)) least = middle;
    else fails = middle;
  }
  return least;
}

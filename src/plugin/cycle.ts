import type { ProfileName } from "../core/brand.ts";
import type { Rng } from "../core/rng.ts";
import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import type { NumericAttribute } from "../endpoints/numeric-attribute.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import type { AttributeWriter, RequestAttribute } from "./request-attribute.ts";

/** One request's scheduling, from its producers to its plan. Valid only during the call that got it. */
export interface RequestCycle extends AttributeWriter {
  readonly request: InferenceRequest;
  readonly nowMs: number;
  /** Stream derived from (seed, decision number). */
  readonly rng: Rng;
  readonly endpoints: EndpointTable;
  /** What the named producer set; without a name, what was set first. */
  get<T>(attribute: RequestAttribute<T>, producer?: string): T | undefined;
}

/** One run of one profile: what filters, scorers and pickers see. */
export interface Cycle extends RequestCycle {
  readonly profile: ProfileName;
  /** The endpoint table's column, indexed by slot. */
  column(attribute: NumericAttribute): Float64Array;
}

/** Endpoints still in play in a profile: `slots[0..count-1]`. */
export interface Candidates {
  readonly slots: Int32Array;
  readonly count: number;
}

/** How a profile's run ended. */
export type ProfileOutcome =
  | {
      readonly kind: "picked";
      /** Slots of the survivors, best first: the best 32, or as many as are advertised. */
      readonly slots: readonly number[];
      /** How many of them `epp` advertises; at least 1. */
      readonly advertised: number;
    }
  /** Filters left nobody. */
  | { readonly kind: "empty" }
  /** A filter or the picker threw. */
  | { readonly kind: "failed"; readonly plugin: string };

/** What profile handlers and plan hooks see. */
export interface HandlerCycle extends RequestCycle {
  /** Profiles in the configuration's order. */
  readonly profiles: readonly ProfileName[];
  /** How a profile ended, undefined while it has not run. */
  outcome(profile: ProfileName): ProfileOutcome | undefined;
}

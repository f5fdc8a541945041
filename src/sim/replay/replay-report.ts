import type { RejectionReason } from "../../core/rejection.ts";

/** What a replay found: plain JSON, the same bytes for the same recording and configuration. */
export interface ReplayReport {
  readonly recording: string;
  readonly startedAt: string;
  /** Whether the recorded configurations made every recorded choice again. */
  readonly isReproduced: boolean;
  /** Lines, from 1, whose choice came out differently; the first few. */
  readonly mismatches: readonly { readonly line: number; readonly message: string }[];
  readonly mismatchCount: number;
  /** Why the replay is not of the whole run; null when it is. */
  readonly incomplete: string | null;
  readonly pools: readonly PoolReplay[];
}

/** One pool before, as recorded, and after, under the other configuration. */
export interface PoolReplay {
  readonly pool: string;
  readonly model: string;
  /** File of the other configuration; null when the recorded one was replayed. */
  readonly config: string | null;
  readonly requests: number;
  /** Requests for which anything changed: destination, prefill endpoint, or whether they get in. */
  readonly changedCount: number;
  readonly movedCount: number;
  readonly prefillChangedCount: number;
  readonly newlyRejectedCount: number;
  readonly newlyAdmittedCount: number;
  /** Times that the configuration was changed while the recording ran. */
  readonly reloadCount: number;
  readonly before: SideSummary;
  readonly after: SideSummary;
  /** Prompt tokens that the engines said they had cached / prompt tokens; null when none said. */
  readonly reportedCacheHitRatio: number | null;
  readonly changes: readonly RequestChange[];
}

/** How one configuration spread the requests. */
export interface SideSummary {
  readonly rejectedCount: number;
  /** Prompt bytes sent where an index of our own has them / prompt bytes, in whole blocks. */
  readonly prefixHitRatio: number;
  /** Mean over decisions: in flight at the fullest endpoint minus the mean of its role. */
  readonly imbalanceRequests: number;
  readonly endpoints: readonly EndpointShare[];
}

/** What one endpoint got. */
export interface EndpointShare {
  readonly endpoint: string;
  readonly requests: number;
  /** Of the decided requests. */
  readonly shareRatio: number;
  readonly prefills: number;
}

/** One request that would have fared differently. */
export interface RequestChange {
  readonly line: number;
  readonly request: string;
  readonly decision: number | null;
  readonly from: Placement;
  readonly to: Placement;
  /** For every profile that picks another endpoint. */
  readonly why: readonly ProfileChange[];
}

/** Where a request goes, or why nowhere. */
export interface Placement {
  readonly endpoint: string | null;
  readonly prefill: string | null;
  readonly rejection: RejectionReason | null;
}

/** How the other configuration saw both endpoints of a profile. */
export interface ProfileChange {
  readonly profile: string;
  readonly to: Standing | null;
  /** Null where the profile did not pick in the recording, or its pick is no candidate any more. */
  readonly from: Standing | null;
}

/** A candidate's scores under the other configuration. */
export interface Standing {
  readonly endpoint: string;
  readonly total: number | null;
  readonly scores: readonly { readonly scorer: string; readonly weighted: number }[];
  /** Filter and reason, where one took it out. */
  readonly rejectedBy: string | null;
  readonly reason: string | null;
}

import type { RejectionReason } from "../core/rejection.ts";
import type { Distribution } from "./quantiles.ts";

/** What a simulation found: plain JSON, the same bytes for the same scenario and seed. */
export interface Report {
  readonly seed: number;
  /** False when it was interrupted: requests under way then are in no figure but `arrived`. */
  readonly isComplete: boolean;
  /** Of the service that took longest. */
  readonly simulatedSeconds: number;
  readonly services: readonly ServiceReport[];
}

/** One service: all stages together, each stage, and its endpoints. */
export interface ServiceReport extends Summary {
  readonly service: string;
  readonly modelName: string;
  readonly workload: string;
  /** Stages in their order; one that is alone is not repeated here. */
  readonly stages: readonly StageReport[];
  readonly endpoints: readonly EndpointReport[];
}

/** One stage of a ladder, from its start until its last request ended. */
export interface StageReport extends Summary {
  readonly stage: string;
}

/** Why a request that reached an engine has no answer. */
export type FailureReason = "engine-refused" | "kv-load-failed";

/** Figures of a set of requests. Distributions are null when nothing was measured. */
export interface Summary {
  readonly simulatedSeconds: number;
  readonly requests: {
    readonly arrived: number;
    readonly completed: number;
    readonly rejected: Partial<Record<RejectionReason, number>>;
    readonly failed: Partial<Record<FailureReason, number>>;
  };
  /** From sending to the first token, as the client sees it. */
  readonly ttftMs: Distribution | null;
  /** Time per output token of a request: (last - first) / (tokens - 1). */
  readonly tpotMs: Distribution | null;
  readonly e2eMs: Distribution | null;
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly outputTokensPerSecond: number;
  readonly requestsPerSecond: number;
  /** Null without limits to meet. */
  readonly goodput: Goodput | null;
  /** Prompt tokens found in a prefix cache / prompt tokens, by the leg that computes the prompt. */
  readonly cacheHitRatio: number;
  readonly kvTransfer: {
    readonly count: number;
    readonly failedCount: number;
    readonly bytes: number;
    /** From wanting the blocks to having them, with waits for cards and handshake. */
    readonly ms: Distribution | null;
  };
  readonly preemptions: number;
}

/** Limits that a request has to meet to count as good. */
export interface Slo {
  readonly ttftMs: number;
  readonly tpotMs: number;
}

/** Requests that met both limits. */
export interface Goodput {
  readonly slo: Slo;
  readonly count: number;
  /** Of the requests that arrived and ended, rejected and failed ones too. */
  readonly ratio: number;
  readonly requestsPerSecond: number;
}

/** One endpoint over the whole run. */
export interface EndpointReport {
  readonly endpoint: string;
  readonly role: string;
  /** Legs that ended there. */
  readonly legs: number;
  /** Of the legs of its role. */
  readonly shareRatio: number;
  /** Time with a step under way / time of the run. */
  readonly busyRatio: number;
  readonly queuePeak: number;
  /** Used blocks / all blocks. */
  readonly kvCacheUsagePeak: number;
  readonly cacheHitRatio: number;
  readonly preemptions: number;
}

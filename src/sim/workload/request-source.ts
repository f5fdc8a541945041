import type { Rng } from "../../core/rng.ts";
import type { WorkloadRequest } from "./workload.ts";

/** What a workload may size itself by. */
export interface WorkloadFacts {
  /** Tokens that the KV cache of one engine of the main pool holds. */
  readonly kvTokens: number;
  readonly replicas: number;
  /** Longest sequence that the engines take. */
  readonly maxModelLen: number;
}

/** Draws requests one after another; endless unless the workload itself has an end. */
export type RequestSource = Iterator<WorkloadRequest, undefined>;

/** A workload by name: parameters with their defaults, and what it sends. */
export interface WorkloadDefinition {
  readonly name: string;
  readonly description: string;
  /** Whole numbers above 0; shares and seconds by their names need not be whole. */
  readonly params: Readonly<Record<string, number>>;
  /** Parameters that may be 0: none of it. */
  readonly optional?: readonly string[];
  open(params: (name: string) => number, rng: Rng, facts: WorkloadFacts): RequestSource;
}

/** Ids of segments: a workload numbers its kinds of text, and within a kind each text. */
export function segmentId(kind: number, index: number): number {
  return kind * 2 ** 40 + index;
}

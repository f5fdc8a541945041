import type { Brand, RequestId } from "../core/brand.ts";
import type { KvEvent } from "../core/kv-event.ts";

/** Names blocks that a prefill engine holds for a decode engine. */
export type KvHandle = Brand<string, "KvHandle">;

/** A prompt in an engine: how many tokens, and the chained keys of its full blocks. */
export interface EnginePrompt {
  readonly tokenCount: number;
  /** One key a full block, integers below 2^53; equal key i means equal tokens up to block i. */
  readonly blockKeys: Float64Array;
  /** Token ids for KV events; absent in simulations that need none. */
  readonly tokenIds?: Uint32Array;
  readonly cacheSalt?: string;
}

/** What one request asks of an engine. */
export interface EngineRequest {
  readonly id: RequestId;
  readonly prompt: EnginePrompt;
  /** Tokens to generate, at least 1; who submits draws it. */
  readonly outputTokens: number;
  /** `hold`: keep the prompt's blocks for another engine when done. `load`: fetch them from one first. */
  readonly kv?:
    | { readonly kind: "hold"; readonly handle: KvHandle }
    | { readonly kind: "load"; readonly handle: KvHandle; readonly tokenCount: number };
}

/** Why a request left the engine. */
export type EngineEnd =
  | "done"
  | "aborted"
  /** Its transfer failed and `kv_load_failure_policy` is `fail`. */
  | "kv-load-failed";

/** What a finished request tells. */
export interface EngineFinish {
  readonly id: RequestId;
  readonly end: EngineEnd;
  readonly atUs: number;
  readonly generatedTokens: number;
  /** Prompt tokens found in the local prefix cache, once, at admission. */
  readonly cachedTokens: number;
  /** Prompt tokens that came from another engine. */
  readonly loadedTokens: number;
  readonly queuedUs: number;
  readonly preemptionCount: number;
}

/** Where an engine's output goes; called from `advance` in time order, and must not call the engine back. */
export interface EngineSink {
  /** `count` tokens of one request; token k (from 0) came at `timeUs(k)`. */
  tokens(id: RequestId, count: number, timeUs: (k: number) => number): void;
  finished(finish: EngineFinish): void;
  kvEvents(events: readonly KvEvent[], atUs: number): void;
  /** Blocks are allocated and wait for the named ones: fetch, then call `kvArrived` or `kvFailed`. */
  kvWanted(id: RequestId, handle: KvHandle, tokenCount: number, atUs: number): void;
}

/**
 * One vLLM-like engine without sockets or clock. One method advances; stepping and jumping give the same
 * bytes. Whoever calls a method with `nowUs` has advanced to that time before; what arrives at the very
 * microsecond at which a step could start is still part of it.
 */
export interface EngineCore {
  /** Throws InvariantError for a request that `fault` refuses. */
  submit(request: EngineRequest, nowUs: number): void;
  /** Why the engine can never run such a request, in vLLM's words; undefined when it can. */
  fault(promptTokens: number, outputTokens: number): string | undefined;
  abort(id: RequestId, nowUs: number): void;
  kvArrived(handle: KvHandle, nowUs: number): void;
  kvFailed(handle: KvHandle, nowUs: number): void;
  /** The holder may free the blocks: the reader has them, or nobody will come. False when it holds none. */
  kvReleased(handle: KvHandle, nowUs: number): boolean;
  /** Tokens held under the handle, undefined after expiry or for an unknown one. */
  kvHeld(
    handle: KvHandle,
    nowUs: number,
  ): { readonly tokenCount: number; readonly blockCount: number } | undefined;
  /** When the state changes next by itself; Infinity when idle. */
  nextEventUs(): number;
  /** When the step under way ends: a driver that streams looks then; Infinity between steps. */
  nextStepUs(): number;
  advance(untilUs: number, sink: EngineSink): void;
  readonly gauges: EngineGauges;
}

/** Counters and gauges of vLLM's `/metrics`, as numbers. */
export interface EngineGauges {
  readonly runningRequests: number;
  readonly waitingRequests: number;
  /** Used blocks / all blocks, 0..1. */
  readonly kvCacheUsage: number;
  readonly blockCount: number;
  readonly blockTokens: number;
  readonly prefixCacheQueries: number;
  readonly prefixCacheHits: number;
  readonly preemptions: number;
  readonly heldBlocks: number;
}

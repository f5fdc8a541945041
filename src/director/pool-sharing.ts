import type { EndpointSpec, LoraState } from "../endpoints/endpoint-table.ts";
import { PoolMemory, type PoolShape } from "../endpoints/pool-memory.ts";
import { SharedLock } from "../endpoints/shared-lock.ts";

/** Memory of one pool for several threads. */
export type SharedPool = Pick<PoolSharing, "shape" | "memory" | "lock">;

/** Endpoints that a pool of several threads may have: its columns do not grow. */
const SLOTS = 4096;

/** Memory for so many deciding threads and their owner. */
export function sharedPool(limits: { deciders: number; inFlightMax: number }): SharedPool {
  const { deciders, inFlightMax } = limits;
  const shape: PoolShape = {
    slots: SLOTS,
    // Each has two legs at most, and every thread may admit one more before it sees the others' count.
    charges: 2 * (inFlightMax + deciders),
    threads: deciders + 1,
  };
  return { shape, memory: PoolMemory.shared(shape), lock: SharedLock.buffer() };
}

/** How the core of one thread takes part in a pool that several threads route. */
export interface PoolSharing {
  readonly shape: PoolShape;
  readonly memory: SharedArrayBuffer;
  readonly lock: SharedArrayBuffer;
  /** 0 is the owner, who changes endpoints and decides nothing; the others decide, from 1 on. */
  readonly thread: number;
  /** All that the owner knew when the thread began. */
  readonly news: readonly PoolNews[];
  /** What is not in memory: the owner's news are for all others, theirs for the owner. */
  tell(news: PoolNews): void;
}

/** What one thread tells others; a message of it can be cloned. */
export type PoolNews =
  /** The slot was given to an endpoint, or to none. */
  | {
      readonly kind: "endpoint";
      readonly slot: number;
      readonly generation: number;
      readonly endpoint: EndpointSpec | undefined;
    }
  | {
      readonly kind: "lora";
      readonly slot: number;
      readonly generation: number;
      readonly lora: LoraState;
    }
  /** A plugin's block index was made or has moved to a larger buffer. */
  | {
      readonly kind: "index";
      readonly index: string;
      readonly buffer: SharedArrayBuffer;
    }
  /** A request failed in a way that says that the endpoint is gone. */
  | { readonly kind: "unhealthy"; readonly slot: number; readonly generation: number };

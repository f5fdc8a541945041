import { invariant } from "../core/invariant.ts";
import type { BlockPool } from "./block-pool.ts";
import type { KvHandle } from "./engine-core.ts";

/** Blocks that a finished prefill keeps for its reader. */
export interface KvHold {
  readonly blocks: Int32Array;
  readonly blockCount: number;
  readonly tokenCount: number;
  readonly expiresUs: number;
}

/** Holds by handle. Each has the same time to live, so the oldest expires first. */
export class KvHolds {
  readonly #pool: BlockPool;
  readonly #holds = new Map<KvHandle, KvHold>();
  #blockCount = 0;

  constructor(pool: BlockPool) {
    this.#pool = pool;
  }

  /** Blocks under all handles. */
  get blockCount(): number {
    return this.#blockCount;
  }

  /** When the oldest hold expires; Infinity without one. */
  get nextExpiryUs(): number {
    for (const hold of this.#holds.values()) return hold.expiresUs;
    return Number.POSITIVE_INFINITY;
  }

  get(handle: KvHandle): KvHold | undefined {
    return this.#holds.get(handle);
  }

  add(handle: KvHandle, hold: KvHold): void {
    invariant(!this.#holds.has(handle), `handle ${handle} is in use`);
    this.#holds.set(handle, hold);
    this.#blockCount += hold.blockCount;
  }

  /** Frees the blocks; false when there are none under the handle. */
  release(handle: KvHandle): boolean {
    const hold = this.#holds.get(handle);
    if (hold === undefined) return false;
    this.#holds.delete(handle);
    this.#blockCount -= hold.blockCount;
    this.#pool.release(hold.blocks, 0, hold.blockCount);
    return true;
  }

  releaseOldest(): void {
    for (const handle of this.#holds.keys()) {
      this.release(handle);
      return;
    }
  }
}

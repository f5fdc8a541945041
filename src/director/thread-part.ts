import { invariant } from "../core/invariant.ts";
import { indexShape, sharedIndexBuffer } from "../endpoints/block-index-memory.ts";
import { PoolMemory } from "../endpoints/pool-memory.ts";
import { RadixBlockIndex } from "../endpoints/radix-block-index.ts";
import { type Lock, noLock, SharedLock } from "../endpoints/shared-lock.ts";
import type { DecisionNumbering } from "../scheduling/decision-ring.ts";
import type { PoolNews, PoolSharing } from "./pool-sharing.ts";

/** Slots that an index has room for at the start. */
const INDEX_SLOTS = 16;

/** What a core has in common with those of other threads; a core that is alone has all of it for itself. */
export class ThreadPart {
  readonly memory: PoolMemory;
  readonly lock: Lock;
  /** 0 for the owner and for a core that is alone. */
  readonly thread: number;
  readonly #sharing: PoolSharing | undefined;
  /** Block indexes in use, by plugin and sizes. */
  readonly #indexes = new Map<string, RadixBlockIndex>();
  /** Where a follower finds them. */
  readonly #buffers = new Map<string, SharedArrayBuffer>();
  #slotCount = 0;

  /** `mend` is called in the lock when a thread died there, with empty indexes. */
  constructor(sharing: PoolSharing | undefined, mend: () => void) {
    this.#sharing = sharing;
    this.thread = sharing?.thread ?? 0;
    if (sharing === undefined) {
      this.memory = new PoolMemory();
      this.lock = noLock;
      return;
    }
    this.memory = new PoolMemory(sharing.shape, sharing.memory);
    this.lock = new SharedLock(sharing.lock, sharing.thread + 1, () => {
      for (const index of this.#indexes.values()) index.clear();
      mend();
    });
  }

  get isShared(): boolean {
    return this.#sharing !== undefined;
  }

  /** Whether endpoints, figures and health are another thread's to change. */
  get isFollower(): boolean {
    return this.thread !== 0;
  }

  /** Threads take turns in the decisions' numbers, so that a number says whose it is. */
  get numbering(): DecisionNumbering {
    if (!this.isFollower) return { step: 1, offset: 0, last: 0 };
    const { lastDecisions } = this.memory;
    return {
      step: lastDecisions.length - 1,
      offset: this.thread - 1,
      last: lastDecisions[this.thread] as number,
    };
  }

  /** Exchanges of all threads that are not over. */
  get exchangeCount(): number {
    let count = 0;
    for (const own of this.memory.exchangeCounts) count += own;
    return count;
  }

  /** Does the work while no other thread is inside; not reentrant. */
  inLock<T>(work: () => T): T {
    this.lock.enter();
    try {
      return work();
    } finally {
      this.lock.leave();
    }
  }

  /** This thread has so many exchanges that are not over. */
  exchangesChanged(count: number): void {
    this.memory.exchangeCounts[this.thread] = count;
  }

  /** The place of this thread's latest decision, for the thread that follows it when it dies. */
  decided(place: number): void {
    this.memory.lastDecisions[this.thread] = place;
  }

  /** A thread has ended; what it left in the lock is mended. */
  threadEnded(thread: number): void {
    if (this.lock instanceof SharedLock) this.lock.threadEnded(thread + 1);
    this.memory.exchangeCounts[thread] = 0;
  }

  tell(news: PoolNews): void {
    this.#sharing?.tell(news);
  }

  /** The index of that name, which a follower has heard of before it needs it. */
  blockIndex(name: string, blocksPerSlot: number): RadixBlockIndex {
    const known = this.#indexes.get(name);
    if (known !== undefined) return known;
    const index = this.#newIndex(name, blocksPerSlot);
    this.#indexes.set(name, index);
    if (this.isShared && !this.isFollower) this.#tellOf(name, index);
    return index;
  }

  /** Forgets the indexes that the configuration in effect does not use. */
  keepIndexes(names: ReadonlySet<string>): void {
    for (const name of [...this.#indexes.keys()]) {
      if (!names.has(name)) this.#indexes.delete(name);
    }
    for (const name of [...this.#buffers.keys()]) {
      if (!names.has(name)) this.#buffers.delete(name);
    }
  }

  /** Makes room in shared indexes for slots below `slotCount`; call as owner, in the lock. */
  reachSlots(slotCount: number): void {
    this.#slotCount = Math.max(this.#slotCount, slotCount);
    if (!this.isShared) return;
    for (const [name, index] of this.#indexes) {
      const { buffer } = index;
      index.grow(slotCount);
      if (index.buffer !== buffer) this.#tellOf(name, index);
    }
  }

  /** The owner made an index or moved it. */
  learnIndex(name: string, buffer: SharedArrayBuffer): void {
    this.#buffers.set(name, buffer);
    this.#indexes.get(name)?.moveTo(buffer);
  }

  /** News of all indexes, for a thread that has just begun. */
  indexNews(): readonly PoolNews[] {
    return [...this.#indexes].flatMap(([name, { buffer }]) =>
      buffer instanceof SharedArrayBuffer ? [{ kind: "index", index: name, buffer }] : [],
    );
  }

  #newIndex(name: string, blocksPerSlot: number): RadixBlockIndex {
    if (!this.isShared) return new RadixBlockIndex(blocksPerSlot);
    if (!this.isFollower) {
      const shape = indexShape(Math.max(INDEX_SLOTS, this.#slotCount), blocksPerSlot);
      return new RadixBlockIndex(blocksPerSlot, sharedIndexBuffer(shape));
    }
    const buffer = this.#buffers.get(name);
    invariant(buffer !== undefined, `no memory for the block index of ${name}`);
    return new RadixBlockIndex(blocksPerSlot, buffer);
  }

  #tellOf(name: string, { buffer }: RadixBlockIndex): void {
    if (buffer instanceof SharedArrayBuffer) this.tell({ kind: "index", index: name, buffer });
  }
}

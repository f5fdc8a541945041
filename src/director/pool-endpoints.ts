import type { KvEvent } from "../core/kv-event.ts";
import { EndpointStore, type StoreChange } from "../endpoints/endpoint-store.ts";
import type { EndpointChange, MetricSample } from "../endpoints/endpoint-table.ts";
import { KvEventIndex } from "../endpoints/kv-event-index.ts";
import { LoadTracker } from "../endpoints/load-tracker.ts";
import type { EndpointStep } from "../plugin/plugin-instance.ts";
import { chainSeed } from "../request/block-hasher.ts";
import type { PoolRouterOptions } from "./pool-router-options.ts";
import type { PoolNews } from "./pool-sharing.ts";
import { ThreadPart } from "./thread-part.ts";

/**
 * The endpoints of one pool with all that is known of them. Of several threads the owner changes it; a
 * follower learns names by news and reads figures in memory.
 */
export class PoolEndpoints {
  readonly part: ThreadPart;
  readonly store: EndpointStore;
  readonly load: LoadTracker;
  readonly kvBlocks: KvEventIndex;
  readonly #options: PoolRouterOptions;
  readonly #onStep: (slot: number, step: EndpointStep) => void;

  /** `onStep` is called in the lock. */
  constructor(options: PoolRouterOptions, onStep: (slot: number, step: EndpointStep) => void) {
    const { hasher, model, kvSeed = chainSeed } = options;
    this.#options = options;
    this.#onStep = onStep;
    this.part = new ThreadPart(options.sharing, () => this.#mend());
    this.store = new EndpointStore(this.part.memory);
    this.load = new LoadTracker(this.store, {
      isCorrecting: options.isCorrectingMetrics,
      thread: this.part.thread,
    });
    this.kvBlocks = new KvEventIndex({
      seed: (loraName, cacheSalt) => kvSeed(loraName ?? model, cacheSalt),
      hash: (bytes, blockBytes, parent, out) =>
        hasher.hash(bytes, 0, bytes.length, blockBytes, parent, out),
    });
    for (const news of options.sharing?.news ?? []) this.learn(news);
  }

  metrics(slot: number, sample: MetricSample): void {
    if (!this.store.isPresent(slot)) return;
    this.part.inLock(() => this.load.scraped(slot, sample));
    if (sample.lora === undefined) return;
    const generation = this.store.generation(slot);
    this.part.tell({ kind: "lora", slot, generation, lora: sample.lora });
  }

  kvEvents(slot: number, events: readonly KvEvent[]): void {
    if (this.store.isPresent(slot)) this.kvBlocks.apply(slot, events);
  }

  endpoint(change: EndpointChange): void {
    if (change.kind === "added") {
      const known = this.store.slotOf(change.endpoint.id);
      // Another address is another process: what was known of the old one is void.
      if (known !== undefined && this.store.address(known) !== change.endpoint.address) {
        this.endpoint({ kind: "removed", id: change.endpoint.id });
      }
    }
    const id = change.kind === "added" ? change.endpoint.id : change.id;
    const done = this.part.inLock(() => this.#apply(change));
    if (done === undefined) return;
    if (done.kind === "full") {
      this.#options.log.error("endpoint-refused", { pool: this.#options.pool, endpoint: id });
      return;
    }
    const { slot } = done;
    const endpoint = change.kind === "added" ? change.endpoint : undefined;
    const generation = this.store.generation(slot);
    this.part.tell({ kind: "endpoint", slot, generation, endpoint });
    if (done.kind === "updated") return;
    this.#options.meter.count("endpoint-changes", { change: done.kind });
    this.#options.log.info(`endpoint-${done.kind}`, { pool: this.#options.pool, endpoint: id });
  }

  health(slot: number, isReady: boolean): void {
    if (this.part.isFollower) {
      const generation = this.store.generation(slot);
      if (!isReady) this.part.tell({ kind: "unhealthy", slot, generation });
      return;
    }
    const isChanged = this.part.inLock(() => {
      if (!this.store.setReady(slot, isReady)) return false;
      if (!isReady) this.#forget(slot, "ejected");
      return true;
    });
    if (!isChanged) return;
    const change = isReady ? "ready" : "ejected";
    this.#options.meter.count("endpoint-changes", { change });
    const event = `endpoint-${change}`;
    const fields = { pool: this.#options.pool, endpoint: this.store.id(slot) };
    if (isReady) this.#options.log.info(event, fields);
    else this.#options.log.warn(event, fields);
  }

  /** All that a thread must be told before it decides. */
  news(): readonly PoolNews[] {
    const store = this.store;
    const news: PoolNews[] = [...this.part.indexNews()];
    for (let slot = 0; slot < store.slotCount; slot++) {
      if (!store.isPresent(slot)) continue;
      const generation = store.generation(slot);
      const endpoint = {
        id: store.id(slot),
        address: store.address(slot),
        labels: store.labels(slot),
      };
      news.push({ kind: "endpoint", slot, generation, endpoint });
      const lora = store.lora(slot);
      if (lora !== undefined) news.push({ kind: "lora", slot, generation, lora });
    }
    return news;
  }

  /** Another thread told something. */
  learn(news: PoolNews): void {
    switch (news.kind) {
      case "index":
        this.part.learnIndex(news.index, news.buffer);
        break;
      case "endpoint":
        this.store.place(news.slot, news.generation, news.endpoint);
        break;
      case "lora":
        if (this.#isCurrent(news)) this.store.setLora(news.slot, news.lora);
        break;
      case "unhealthy":
        if (this.#isCurrent(news)) this.health(news.slot, false);
        break;
    }
  }

  /** A thread has ended without ending its exchanges: what they weigh is given back. */
  threadEnded(thread: number): void {
    this.part.threadEnded(thread);
    const charges = this.part.inLock(() => this.load.releaseAllOf(thread));
    if (charges === 0) return;
    const { pool, log } = this.#options;
    log.warn("thread-charges-released", { pool, thread, charges });
  }

  /** The slot may have been given to another endpoint since. */
  #isCurrent({ slot, generation }: { slot: number; generation: number }): boolean {
    return slot < this.store.slotCount && this.store.generation(slot) === generation;
  }

  #apply(change: EndpointChange): StoreChange {
    const done = this.store.apply(change);
    if (done?.kind !== "added" && done?.kind !== "removed") return done;
    if (done.kind === "added") {
      this.load.reset(done.slot);
      this.part.reachSlots(done.slot + 1);
    }
    this.#forget(done.slot, done.kind);
    return done;
  }

  /** A thread died in the lock: its half-done work is undone. */
  #mend(): void {
    this.load.recount();
    this.#options.meter.count("lock-resets", {});
    this.#options.log.error("lock-reset", { pool: this.#options.pool });
  }

  #forget(slot: number, step: EndpointStep): void {
    this.kvBlocks.purge(slot);
    this.#onStep(slot, step);
  }
}

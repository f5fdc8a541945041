import { endpointId } from "../core/brand.ts";
import { invariant } from "../core/invariant.ts";
import type { KvEvent } from "../core/kv-event.ts";
import type { RouterCore } from "../director/router-core.ts";
import {
  kvBlockCount,
  kvBlockTokens,
  kvCacheUsage,
  type NumericAttribute,
  runningRequests,
  waitingQueueDepth,
} from "../endpoints/numeric-attribute.ts";
import type { SimulatedEngine } from "./simulated-engine.ts";

/** What a router hears of one engine besides its answers: that it is there, its metrics, its KV events. */
export class EngineReports {
  readonly #core: RouterCore;
  readonly #engine: SimulatedEngine;
  readonly #slot: number;
  #kvEvents: KvEvent[] = [];

  /** Makes the endpoint known, ready and scraped: the deployment was there before its first request. */
  constructor(core: RouterCore, engine: SimulatedEngine) {
    this.#core = core;
    this.#engine = engine;
    const { name, labels, config } = engine.spec;
    const id = endpointId(name);
    core.endpoint({ kind: "added", endpoint: { id, address: name, labels } }, 0);
    const slot = core.slotOf(id);
    invariant(slot !== undefined, `${name} has no slot`);
    this.#slot = slot;
    core.health(slot, true, 0);
    // An empty cache is news too: it tells the router that this engine reports its blocks.
    if (config.isKvEventsEnabled) core.kvEvents(slot, [{ kind: "cleared" }], 0);
    this.scrape(0);
  }

  /** Tells the engine's gauges as they are. */
  scrape(nowMs: number): void {
    const { gauges } = this.#engine.core;
    const values = new Map<NumericAttribute, number>([
      [waitingQueueDepth, gauges.waitingRequests],
      [runningRequests, gauges.runningRequests],
      [kvCacheUsage, gauges.kvCacheUsage],
      [kvBlockCount, gauges.blockCount],
      [kvBlockTokens, gauges.blockTokens],
    ]);
    this.#core.metrics(this.#slot, { startedAtMs: nowMs, values }, nowMs);
  }

  /** Takes the engine's latest events; true when they are the first since the last flush. */
  gather(): boolean {
    const isFirst = this.#kvEvents.length === 0;
    for (const event of this.#engine.news.kvEvents) this.#kvEvents.push(event);
    this.#engine.news.kvEvents.length = 0;
    return isFirst;
  }

  /** Tells what was gathered. */
  flush(nowMs: number): void {
    const events = this.#kvEvents;
    this.#kvEvents = [];
    this.#core.kvEvents(this.#slot, events, nowMs);
  }
}

import { invariant } from "../core/invariant.ts";
import type { EndpointStore } from "./endpoint-store.ts";
import type { MetricSample } from "./endpoint-table.ts";
import {
  inFlightRequests,
  inFlightTokens,
  kvBlockCount,
  kvBlockTokens,
  kvCacheUsage,
  scrapedAtMs,
  scrapedKvCacheUsage,
  scrapedWaitingQueueDepth,
  waitingQueueDepth,
} from "./numeric-attribute.ts";

/** Tokens of one request on one endpoint. */
export type ChargedTokens = Pick<Charge, "promptTokens" | "loadTokens">;

/** One request's weight on one endpoint, from dispatch until its release. */
export interface Charge {
  readonly slot: number;
  readonly generation: number;
  readonly sentAtMs: number;
  /** The whole prompt: it takes room in the KV cache. */
  readonly promptTokens: number;
  /** What the endpoint has to compute or generate: its load until it answers. */
  readonly loadTokens: number;
}

/**
 * Counts what this router sent to each endpoint, and corrects the engine's last word by it: a request
 * that left after a scrape began and has no first byte yet is not in that scrape, so it is added.
 */
export class LoadTracker {
  readonly #store: EndpointStore;
  readonly #isCorrecting: boolean;
  /** Charges without a first byte, by slot. */
  readonly #unanswered: Set<Charge>[] = [];

  constructor(store: EndpointStore, options: { isCorrecting: boolean }) {
    this.#store = store;
    this.#isCorrecting = options.isCorrecting;
  }

  /** A slot was given to an endpoint: nothing is in flight, everything else unknown. */
  reset(slot: number): void {
    this.#unanswered[slot] = new Set();
    this.#store.column(inFlightRequests)[slot] = 0;
    this.#store.column(inFlightTokens)[slot] = 0;
  }

  charge(slot: number, tokens: ChargedTokens, nowMs: number): Charge {
    const generation = this.#store.generation(slot);
    const charge: Charge = { slot, generation, sentAtMs: nowMs, ...tokens };
    this.#waiting(slot).add(charge);
    (this.#store.column(inFlightRequests)[slot] as number) += 1;
    (this.#store.column(inFlightTokens)[slot] as number) += tokens.loadTokens;
    this.#correct(slot);
    return charge;
  }

  /** The endpoint began to answer: it no longer waits there. */
  answered(charge: Charge): void {
    if (!this.#isCurrent(charge)) return;
    if (!this.#waiting(charge.slot).delete(charge)) return;
    (this.#store.column(inFlightTokens)[charge.slot] as number) -= charge.loadTokens;
    this.#correct(charge.slot);
  }

  /** The request is done with the endpoint. Call once. */
  release(charge: Charge): void {
    if (!this.#isCurrent(charge)) return;
    this.answered(charge);
    const inFlight = this.#store.column(inFlightRequests);
    const left = (inFlight[charge.slot] as number) - 1;
    invariant(left >= 0, "an endpoint's in-flight count went below zero");
    inFlight[charge.slot] = left;
  }

  /** A scrape came in: its values stand, and only what was sent after it began is added to them. */
  scraped(slot: number, sample: MetricSample): void {
    const store = this.#store;
    for (const [attribute, value] of sample.values) {
      if (attribute === waitingQueueDepth) store.column(scrapedWaitingQueueDepth)[slot] = value;
      else if (attribute === kvCacheUsage) store.column(scrapedKvCacheUsage)[slot] = value;
      else store.column(attribute)[slot] = value;
    }
    if (sample.lora !== undefined) store.setLora(slot, sample.lora);
    if (sample.values.size > 0) store.column(scrapedAtMs)[slot] = sample.startedAtMs;
    this.#correct(slot);
  }

  #correct(slot: number): void {
    const store = this.#store;
    const scrapeMs = store.column(scrapedAtMs)[slot] as number;
    let unseenCount = 0;
    let unseenTokens = 0;
    if (this.#isCorrecting) {
      for (const charge of this.#waiting(slot)) {
        if (charge.sentAtMs < scrapeMs) continue;
        unseenCount++;
        unseenTokens += charge.promptTokens;
      }
    }
    const waiting = store.column(scrapedWaitingQueueDepth)[slot] as number;
    store.column(waitingQueueDepth)[slot] = waiting + unseenCount;
    const usage = store.column(scrapedKvCacheUsage)[slot] as number;
    const capacity =
      (store.column(kvBlockCount)[slot] as number) * (store.column(kvBlockTokens)[slot] as number);
    // An unknown capacity leaves the engine's own figure as it is.
    const unseenUsage = capacity > 0 ? unseenTokens / capacity : 0;
    store.column(kvCacheUsage)[slot] = Math.min(1, usage + unseenUsage);
  }

  #isCurrent(charge: Charge): boolean {
    return this.#store.generation(charge.slot) === charge.generation;
  }

  #waiting(slot: number): Set<Charge> {
    const waiting = this.#unanswered[slot];
    invariant(waiting !== undefined, `slot ${slot} was never reset`);
    return waiting;
  }
}

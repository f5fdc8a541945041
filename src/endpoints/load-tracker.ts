import { invariant } from "../core/invariant.ts";
import type { Charge, NewCharge } from "./charge-table.ts";
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
import type { PoolMemory } from "./pool-memory.ts";

/**
 * Tokens of one request on one endpoint: the whole prompt takes room in the KV cache, and what the
 * endpoint has to compute or generate is its load until it answers.
 */
export type ChargedTokens = Pick<NewCharge, "promptTokens" | "loadTokens">;

/**
 * Counts what this router sent to each endpoint, and corrects the engine's last word by it: a request
 * that left after a scrape began and has no first byte yet is not in that scrape, so it is added.
 */
export class LoadTracker {
  readonly #store: EndpointStore;
  readonly #memory: PoolMemory;
  readonly #isCorrecting: boolean;
  readonly #thread: number;

  /** New charges are the thread's. */
  constructor(store: EndpointStore, options: { isCorrecting: boolean; thread?: number }) {
    this.#store = store;
    this.#memory = store.memory;
    this.#isCorrecting = options.isCorrecting;
    this.#thread = options.thread ?? 0;
  }

  /** A slot was given to an endpoint: nothing is in flight, everything else unknown. */
  reset(slot: number): void {
    const { charges } = this.#memory;
    for (let id = charges.firstUnanswered(slot); id !== 0; id = charges.firstUnanswered(slot)) {
      charges.answer(id);
    }
    this.#store.column(inFlightRequests)[slot] = 0;
    this.#store.column(inFlightTokens)[slot] = 0;
  }

  charge(slot: number, tokens: ChargedTokens, nowMs: number): Charge {
    const memory = this.#memory;
    memory.reachCharge();
    const charge = memory.charges.open({
      slot,
      generation: this.#store.generation(slot),
      thread: this.#thread,
      sentAtMs: nowMs,
      promptTokens: tokens.promptTokens,
      loadTokens: tokens.loadTokens,
    });
    (this.#store.column(inFlightRequests)[slot] as number) += 1;
    (this.#store.column(inFlightTokens)[slot] as number) += tokens.loadTokens;
    this.#correct(slot);
    return charge;
  }

  /** The endpoint began to answer: it no longer waits there. */
  answered(charge: Charge): void {
    const { charges } = this.#memory;
    if (!charges.answer(charge.id) || !this.#isCurrent(charge)) return;
    const loadTokens = charges.loadTokens(charge.id);
    (this.#store.column(inFlightTokens)[charge.slot] as number) -= loadTokens;
    this.#correct(charge.slot);
  }

  /** The request is done with the endpoint. Call once. */
  release(charge: Charge): void {
    this.answered(charge);
    this.#memory.charges.close(charge.id);
    if (!this.#isCurrent(charge)) return;
    const inFlight = this.#store.column(inFlightRequests);
    const left = (inFlight[charge.slot] as number) - 1;
    invariant(left >= 0, "an endpoint's in-flight count went below zero");
    inFlight[charge.slot] = left;
  }

  /** A thread has ended: what it left open is given back. Returns how many charges that were. */
  releaseAllOf(thread: number): number {
    const { charges } = this.#memory;
    const left: Charge[] = [];
    charges.forEachOpen((charge) => {
      if (charges.thread(charge.id) === thread) left.push(charge);
    });
    for (const charge of left) this.release(charge);
    return left.length;
  }

  /** Counts anew from the charges, after a thread died while it changed them. */
  recount(): void {
    const { charges, slots } = this.#memory;
    charges.rebuild();
    const requests = this.#store.column(inFlightRequests);
    const tokens = this.#store.column(inFlightTokens);
    requests.fill(0);
    tokens.fill(0);
    charges.forEachOpen((charge, isAnswered) => {
      if (!this.#isCurrent(charge)) return;
      (requests[charge.slot] as number) += 1;
      if (!isAnswered) (tokens[charge.slot] as number) += charges.loadTokens(charge.id);
    });
    for (let slot = 0; slot < slots; slot++) this.#correct(slot);
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
      const { charges } = this.#memory;
      let id = charges.firstUnanswered(slot);
      for (; id !== 0; id = charges.nextUnanswered(id)) {
        if (charges.sentAtMs(id) < scrapeMs) continue;
        unseenCount++;
        unseenTokens += charges.promptTokens(id);
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
    return this.#memory.generations[charge.slot] === charge.generation;
  }
}

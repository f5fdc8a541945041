import assert from "node:assert/strict";
import test from "node:test";
import {
  type EndpointTraits,
  endpointWith,
  sampleWith,
} from "../../test/fixtures/endpoint-with.ts";
import { endpointId } from "../core/brand.ts";
import { EndpointStore } from "./endpoint-store.ts";
import { type ChargedTokens, LoadTracker } from "./load-tracker.ts";
import {
  inFlightRequests,
  kvCacheUsage,
  scrapedAtMs,
  scrapedKvCacheUsage,
  scrapedWaitingQueueDepth,
  waitingQueueDepth,
} from "./numeric-attribute.ts";

interface Tracked {
  readonly store: EndpointStore;
  readonly load: LoadTracker;
  scrape(traits: EndpointTraits, startedAtMs: number): void;
  figures(): { queue: number; kv: number; inFlight: number };
}

function tracked(isCorrecting = true): Tracked {
  const store = new EndpointStore();
  const load = new LoadTracker(store, { isCorrecting });
  store.apply({ kind: "added", endpoint: endpointWith({ id: "a" }) });
  load.reset(0);
  return {
    store,
    load,
    scrape: (traits, startedAtMs) => load.scraped(0, sampleWith(traits, startedAtMs)),
    figures: () => ({
      queue: store.column(waitingQueueDepth)[0] as number,
      kv: store.column(kvCacheUsage)[0] as number,
      inFlight: store.column(inFlightRequests)[0] as number,
    }),
  };
}

/** 1,000 tokens of KV cache, so that a prompt's tokens are thousandths. */
const IDLE = { queue: 2, kv: 0.5, kvBlocks: 100, kvBlockTokens: 10 };

const tokens = (count: number): ChargedTokens => ({ promptTokens: count, loadTokens: count });

test("load-tracker: what was sent after a scrape began is added to it", () => {
  const { load, scrape, figures } = tracked();
  scrape(IDLE, 10);
  load.charge(0, tokens(100), 11);
  load.charge(0, tokens(50), 12);
  assert.deepEqual(figures(), { queue: 4, kv: 0.65, inFlight: 2 });
});

test("load-tracker: a request sent in the very millisecond of the scrape is not in it", () => {
  const { load, scrape, figures } = tracked();
  scrape(IDLE, 10);
  load.charge(0, tokens(100), 10);
  assert.equal(figures().queue, 3);
});

test("load-tracker: a scrape that began after a send has seen it", () => {
  const { load, scrape, figures } = tracked();
  scrape(IDLE, 10);
  load.charge(0, tokens(100), 11);
  scrape({ ...IDLE, queue: 7 }, 20);
  assert.deepEqual(figures(), { queue: 7, kv: 0.5, inFlight: 1 });
});

test("load-tracker: a scrape that began before a send keeps it", () => {
  const { load, scrape, figures } = tracked();
  load.charge(0, tokens(100), 11);
  scrape(IDLE, 10);
  assert.deepEqual(figures(), { queue: 3, kv: 0.6, inFlight: 1 });
});

test("load-tracker: an answered request waits no longer, yet is in flight", () => {
  const { load, scrape, figures } = tracked();
  scrape(IDLE, 10);
  const charge = load.charge(0, tokens(100), 11);
  load.answered(charge);
  load.answered(charge);
  assert.deepEqual(figures(), { queue: 2, kv: 0.5, inFlight: 1 });
  load.release(charge);
  assert.equal(figures().inFlight, 0);
});

test("load-tracker: a request that ends without an answer leaves the correction", () => {
  const { load, scrape, figures } = tracked();
  scrape(IDLE, 10);
  load.release(load.charge(0, tokens(100), 11));
  assert.deepEqual(figures(), { queue: 2, kv: 0.5, inFlight: 0 });
});

test("load-tracker: corrected KV usage ends at one", () => {
  const { load, scrape, figures } = tracked();
  scrape(IDLE, 10);
  load.charge(0, tokens(1_000_000), 11);
  assert.equal(figures().kv, 1);
});

test("load-tracker: without a known capacity KV usage stands as scraped", () => {
  const { load, scrape, figures } = tracked();
  scrape({ queue: 0, kv: 0.25 }, 10);
  load.charge(0, tokens(100), 11);
  assert.deepEqual(figures(), { queue: 1, kv: 0.25, inFlight: 1 });
});

test("load-tracker: what was never scraped stays unknown under load", () => {
  const { load, figures } = tracked();
  load.charge(0, tokens(100), 11);
  assert.deepEqual(figures(), { queue: Number.NaN, kv: Number.NaN, inFlight: 1 });
});

test("load-tracker: a scrape without values says nothing, and keeps its age", () => {
  const { store, load, scrape, figures } = tracked();
  scrape(IDLE, 10);
  load.charge(0, tokens(100), 11);
  scrape({}, 20);
  assert.equal(figures().queue, 3);
  assert.equal(store.column(scrapedAtMs)[0], 10);
});

test("load-tracker: an absent figure keeps its last value", () => {
  const { scrape, figures } = tracked();
  scrape(IDLE, 10);
  scrape({ queue: 9 }, 20);
  assert.deepEqual(figures(), { queue: 9, kv: 0.5, inFlight: 0 });
});

test("load-tracker: the scraped figures stand beside the corrected ones", () => {
  const { store, load, scrape } = tracked();
  scrape(IDLE, 10);
  load.charge(0, tokens(100), 11);
  assert.equal(store.column(scrapedWaitingQueueDepth)[0], 2);
  assert.equal(store.column(scrapedKvCacheUsage)[0], 0.5);
});

test("load-tracker: without correction the engine's figures stand and in-flight still counts", () => {
  const { load, scrape, figures } = tracked(false);
  scrape(IDLE, 10);
  load.charge(0, tokens(100), 11);
  assert.deepEqual(figures(), { queue: 2, kv: 0.5, inFlight: 1 });
});

test("load-tracker: a charge of a slot's former endpoint touches nothing of the next one", () => {
  const { store, load, figures } = tracked();
  const old = load.charge(0, tokens(100), 1);
  store.apply({ kind: "removed", id: endpointId("a") });
  store.apply({ kind: "added", endpoint: endpointWith({ id: "b" }) });
  load.reset(0);
  load.charge(0, tokens(100), 2);
  load.answered(old);
  load.release(old);
  assert.equal(figures().inFlight, 1);
});

test("load-tracker: a second release is a programmer's error", () => {
  const { load } = tracked();
  const charge = load.charge(0, tokens(1), 1);
  load.release(charge);
  assert.throws(() => load.release(charge), /released twice/);
});

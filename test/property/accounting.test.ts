import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { Target } from "../../src/director/dispatch-plan.ts";
import type { PoolRouterCore } from "../../src/director/pool-router-core.ts";
import {
  inFlightRequests,
  inFlightTokens,
  kvCacheUsage,
  scrapedKvCacheUsage,
  scrapedWaitingQueueDepth,
  waitingQueueDepth,
} from "../../src/endpoints/numeric-attribute.ts";
import { endpointWith, sampleWith } from "../fixtures/endpoint-with.ts";
import { pluginOf } from "../fixtures/plugin-of.ts";
import { completed, poolWith } from "../fixtures/pool-core.ts";
import { requestWith } from "../fixtures/request-with.ts";

const STEPS = [
  "arrive",
  "arrive",
  "retry",
  "first-byte",
  "end",
  "add",
  "remove",
  "move",
  "eject",
  "ready",
  "scrape",
  "tick",
] as const;

/** One input of a core; `which` chooses the request or endpoint that it concerns. */
interface Step {
  readonly kind: (typeof STEPS)[number];
  readonly which: number;
}

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({ kind: fc.constantFrom(...STEPS), which: fc.nat({ max: 1000 }) }),
  { maxLength: 120 },
);

const ENDPOINTS = ["e0", "e1", "e2", "e3", "e4"].map((id, index) =>
  endpointWith({ id, role: ["prefill", "both", "decode", "prefill", "decode"][index] ?? "both" }),
);
const TIMEOUT_MS = 40;

/** What a test knows of a request on its way, apart from the core. */
interface Live {
  target: Target;
  prefill: Target | undefined;
  readonly atMs: number;
}

/** Drives a core and keeps books of its own. */
class Bookkeeper {
  readonly core: PoolRouterCore;
  readonly live = new Map<number, Live>();
  decidedCount = 0;
  endCount = 0;
  #nowMs = 0;

  constructor(seed: number) {
    const listener = pluginOf("listener", {
      onEnd: () => {
        this.endCount++;
      },
    });
    this.core = poolWith({
      seed,
      exchangeTimeoutMs: TIMEOUT_MS,
      endpoints: [],
      plugins: [
        "pd-profile-handler",
        "prefill-header-handler",
        "prefill-filter",
        "decode-filter",
        "queue-scorer",
        "max-score-picker",
        listener,
      ],
      profiles: {
        prefill: ["prefill-filter", "queue-scorer", "max-score-picker"],
        decode: ["decode-filter", "queue-scorer", "max-score-picker"],
      },
    }).core;
    for (const [slot, endpoint] of ENDPOINTS.entries()) {
      this.core.endpoint({ kind: "added", endpoint }, 0);
      this.core.health(slot, true, 0);
    }
  }

  step({ kind, which }: Step): void {
    this.#nowMs++;
    if (kind === "arrive" || kind === "retry" || kind === "first-byte" || kind === "end") {
      this.#request(kind, which);
    } else this.#pool(kind, which);
  }

  /** Ends what is left. */
  finish(): void {
    for (const decision of [...this.live.keys()]) this.#end(decision);
  }

  /** In-flight requests that the endpoint in the slot must have by these books. */
  expected(slot: number): number {
    const generation = this.core.endpoints.generation(slot);
    let count = 0;
    for (const { target, prefill } of this.live.values()) {
      for (const leg of [target, prefill]) {
        if (leg?.slot === slot && leg.generation === generation) count++;
      }
    }
    return count;
  }

  #request(kind: "arrive" | "retry" | "first-byte" | "end", which: number): void {
    if (kind === "arrive") {
      const admission = this.core.arrive(requestWith(), this.#nowMs);
      if (admission.kind !== "decided") return;
      const { plan, decision } = admission;
      this.decidedCount++;
      const target = plan.primary[0] as Target;
      this.live.set(decision, { target, prefill: plan.prefill[0], atMs: this.#nowMs });
      return;
    }
    const decision = [...this.live.keys()][which % Math.max(1, this.live.size)];
    const live = decision === undefined ? undefined : this.live.get(decision);
    if (decision === undefined || live === undefined) return;
    if (kind === "end") this.#end(decision);
    else if (kind === "retry") {
      live.target = this.core.retry(decision, live.target, this.#nowMs) ?? live.target;
    } else {
      this.core.firstByte(decision, this.#nowMs);
      live.prefill = undefined;
    }
  }

  #pool(kind: Step["kind"], which: number): void {
    const nowMs = this.#nowMs;
    const index = which % ENDPOINTS.length;
    const endpoint = ENDPOINTS[index] as (typeof ENDPOINTS)[number];
    if (kind === "add") this.core.endpoint({ kind: "added", endpoint }, nowMs);
    else if (kind === "remove") this.core.endpoint({ kind: "removed", id: endpoint.id }, nowMs);
    else if (kind === "move") {
      const moved = { ...endpoint, address: `moved-${which}:1` };
      this.core.endpoint({ kind: "added", endpoint: moved }, nowMs);
    } else if (kind === "tick") {
      this.core.tick(nowMs);
      for (const [decision, { atMs }] of this.live) {
        if (atMs + TIMEOUT_MS <= nowMs) this.live.delete(decision);
      }
    } else if (kind === "scrape") {
      const sample = sampleWith(
        { queue: which % 7, kv: 0.5, kvBlocks: 10, kvBlockTokens: 16 },
        nowMs - 3,
      );
      this.core.metrics(index, sample, nowMs);
    } else this.core.health(index, kind === "ready", nowMs);
  }

  #end(decision: number): void {
    this.core.end(decision, "completed", completed, this.#nowMs);
    // A late second report must not count.
    this.core.end(decision, "client-left", completed, this.#nowMs);
    this.live.delete(decision);
  }
}

test("accounting: in-flight counts agree with the requests on their way, and end at zero", () => {
  fc.assert(
    fc.property(fc.integer(), steps, (seed, all) => {
      const books = new Bookkeeper(seed);
      const { core } = books;
      const column = (): Float64Array => core.endpoints.column(inFlightRequests);
      for (const step of all) {
        books.step(step);
        assert.equal(core.inFlightCount, books.live.size);
        for (let slot = 0; slot < core.endpoints.slotCount; slot++) {
          if (!core.endpoints.isPresent(slot)) continue;
          assert.equal(column()[slot], books.expected(slot), `slot ${slot} after ${step.kind}`);
        }
      }
      books.finish();
      assert.equal(core.inFlightCount, 0);
      assert.equal(core.nextDeadlineMs(), Number.POSITIVE_INFINITY);
      assert.equal(books.endCount, books.decidedCount);
      for (let slot = 0; slot < core.endpoints.slotCount; slot++) {
        if (!core.endpoints.isPresent(slot)) continue;
        assert.equal(column()[slot], 0);
        assert.equal(core.endpoints.column(inFlightTokens)[slot], 0);
        // Nothing is on its way, so nothing is added to the engine's own figures.
        for (const [corrected, scraped] of [
          [waitingQueueDepth, scrapedWaitingQueueDepth],
          [kvCacheUsage, scrapedKvCacheUsage],
        ] as const) {
          assert.equal(
            core.endpoints.column(corrected)[slot],
            core.endpoints.column(scraped)[slot],
          );
        }
      }
    }),
    { numRuns: 300 },
  );
});

test("accounting: equal seeds and inputs give equal decisions", () => {
  fc.assert(
    fc.property(fc.integer(), steps, (seed, all) => {
      const [left, right] = [new Bookkeeper(seed), new Bookkeeper(seed)];
      for (const step of all) {
        left.step(step);
        right.step(step);
      }
      assert.deepEqual(left.core.decisions.latest(1000), right.core.decisions.latest(1000));
    }),
    { numRuns: 30 },
  );
});

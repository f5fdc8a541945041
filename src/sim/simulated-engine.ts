import type { RequestId } from "../core/brand.ts";
import type { KvEvent } from "../core/kv-event.ts";
import type {
  EngineCore,
  EngineFinish,
  EngineRequest,
  EngineSink,
  KvHandle,
} from "../engine/engine-core.ts";
import { Nic } from "../engine/kv-transfer.ts";
import { createEngine } from "../engine/vllm-engine.ts";
import type { EndpointReport } from "./report.ts";
import type { EngineSpec } from "./scenario.ts";

/** An engine that asks for another one's blocks. */
export interface KvWish {
  readonly id: RequestId;
  readonly handle: KvHandle;
  /** 0 lets the holder free them. */
  readonly tokenCount: number;
  readonly atUs: number;
}

/** What an engine said while it was advanced; read it before the next advance. */
export interface EngineNews {
  /** Requests whose first token came, and when. */
  readonly begun: { readonly id: RequestId; readonly atUs: number }[];
  readonly finished: EngineFinish[];
  readonly wishes: KvWish[];
  readonly kvEvents: KvEvent[];
}

/** An engine in virtual time, with its card and what a report says of it. */
export class SimulatedEngine {
  readonly spec: EngineSpec;
  readonly core: EngineCore;
  readonly nic: Nic = new Nic();
  readonly news: EngineNews = { begun: [], finished: [], wishes: [], kvEvents: [] };
  /** Engines whose metadata this one has, and when it has them. */
  readonly handshakesUs: Map<SimulatedEngine, number> = new Map();
  readonly #sink: EngineSink;
  /** Requests submitted whose first token is still to come. */
  readonly #unbegun = new Set<RequestId>();
  #nowUs = 0;
  /** When the run under way ends, as known after the last touch. */
  #runEndUs = 0;
  #firstStepUs = 0;
  #isBusy = false;
  #busyUs = 0;
  #queuePeak = 0;
  #usagePeak = 0;
  #legs = 0;

  constructor(spec: EngineSpec) {
    this.spec = spec;
    this.core = createEngine(spec.config);
    const { begun, finished, wishes, kvEvents } = this.news;
    this.#sink = {
      tokens: (id, _count, timeUs) => {
        if (this.#unbegun.delete(id)) begun.push({ id, atUs: timeUs(0) });
      },
      finished: (finish) => {
        this.#unbegun.delete(finish.id);
        finished.push(finish);
      },
      kvEvents: (events) => void kvEvents.push(...events),
      kvWanted: (id, handle, tokenCount, atUs) =>
        void wishes.push({ id, handle, tokenCount, atUs }),
    };
  }

  get legs(): number {
    return this.#legs;
  }

  /** Brings the engine to the time and collects what it says; call before any other use at that time. */
  advance(nowUs: number): void {
    if (this.#isBusy) this.#busyUs += nowUs - this.#nowUs;
    this.#nowUs = nowUs;
    this.core.advance(nowUs, this.#sink);
    this.#isBusy = this.core.nextStepUs() !== Number.POSITIVE_INFINITY;
  }

  submit(request: EngineRequest, nowUs: number): void {
    this.#legs++;
    this.#unbegun.add(request.id);
    this.core.submit(request, nowUs);
  }

  /**
   * When to advance next. Most runs are looked at when they end, but the first token of a request that
   * joined with a single token to compute comes with the first step of its run.
   */
  nextUs(): number {
    const eventUs = this.core.nextEventUs();
    if (this.#nowUs >= this.#runEndUs) this.#firstStepUs = this.core.nextStepUs();
    this.#runEndUs = eventUs;
    const isFirstStepAwaited = this.#unbegun.size > 0 && this.#nowUs < this.#firstStepUs;
    return isFirstStepAwaited ? Math.min(this.#firstStepUs, eventUs) : eventUs;
  }

  /** Reads the gauges for the report's peaks; meant for the times at which a step was planned. */
  notePeaks(): void {
    const { waitingRequests, kvCacheUsage } = this.core.gauges;
    this.#queuePeak = Math.max(this.#queuePeak, waitingRequests);
    this.#usagePeak = Math.max(this.#usagePeak, kvCacheUsage);
  }

  report(facts: { role: string; roleLegs: number; spanUs: number }): EndpointReport {
    const { prefixCacheHits, prefixCacheQueries, preemptions } = this.core.gauges;
    return {
      endpoint: this.spec.name,
      role: facts.role,
      legs: this.#legs,
      shareRatio: facts.roleLegs === 0 ? 0 : this.#legs / facts.roleLegs,
      busyRatio: facts.spanUs === 0 ? 0 : this.#busyUs / facts.spanUs,
      queuePeak: this.#queuePeak,
      kvCacheUsagePeak: this.#usagePeak,
      cacheHitRatio: prefixCacheQueries === 0 ? 0 : prefixCacheHits / prefixCacheQueries,
      preemptions,
    };
  }
}

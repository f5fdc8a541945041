import type { Clock } from "../core/clock.ts";
import type { ExchangeObserver } from "../core/exchange-report.ts";
import { invariant } from "../core/invariant.ts";
import type { Log } from "../core/log.ts";
import { DeadlineWatch } from "./deadline.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { Exchange, type ExchangeLimits } from "./exchange.ts";
import { DEFAULT_LEGS_SETTINGS } from "./legs/legs-settings.ts";
import type { RouterLegs } from "./router-legs.ts";
import { Upstream, type UpstreamOptions } from "./upstream.ts";

/** Bounds of dispatching; every one has a default. */
export type DispatchLimits = ExchangeLimits & UpstreamOptions;

/** Bounds unless set. */
export const DEFAULT_DISPATCH_LIMITS: DispatchLimits = {
  retryLimit: 2,
  firstByteTimeoutMs: 600_000,
  gapTimeoutMs: 120_000,
  connectTimeoutMs: 10_000,
  // Above vLLM's usual max-num-seqs, so that a queue forms in the engine, where its metrics show
  // it.
  connectionsPerEndpoint: 2048,
};

/** What a dispatcher works with. */
export interface DispatcherOptions {
  /** Engine time. */
  readonly clock: Clock;
  /** Engine seconds per wall second. */
  readonly timeScale: number;
  readonly observer: ExchangeObserver;
  readonly log: Log;
  readonly limits?: Partial<DispatchLimits>;
  /** How the router runs the legs of plans that give them to it. */
  readonly legs?: Partial<RouterLegs> | undefined;
}

/** One other prefill endpoint, as `retryLimit` bounds the decode endpoints. */
const DEFAULT_ROUTER_LEGS: RouterLegs = { ...DEFAULT_LEGS_SETTINGS, candidates: 2 };

/** A dispatcher that relays over HTTP/1.1 as the bytes come. */
export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const limits = { ...DEFAULT_DISPATCH_LIMITS, ...options.limits };
  const upstream = new Upstream(limits);
  const deadlines = new DeadlineWatch();
  const { clock, timeScale, observer, log } = options;
  const legs = { ...DEFAULT_ROUTER_LEGS, ...options.legs };
  const context = { upstream, deadlines, clock, observer, log, timeScale, limits, legs };
  return {
    dispatch(job) {
      const target = job.plan.primary[0];
      invariant(target !== undefined, "a plan has at least one endpoint");
      return new Exchange(job, target, context).run();
    },
    forget: (address) => upstream.forget(address),
    async close() {
      await upstream.close();
      deadlines.close();
    },
  };
}

import type { Charge } from "../endpoints/charge-table.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import type { DispatchPlan, Target } from "./dispatch-plan.ts";
import type { PluginHooks } from "./plugin-hooks.ts";
import type { DecisionNumber } from "./router-core.ts";

/** A decided request until its end. */
export interface LiveExchange {
  readonly decision: DecisionNumber;
  /** Plugins that chose for it and hear of its end, also after a reload. */
  readonly hooks: PluginHooks;
  readonly request: InferenceRequest;
  readonly plan: DispatchPlan;
  readonly startedAtMs: number;
  target: Target;
  charge: Charge;
  readonly prefillCharge: Charge | undefined;
  retryCount: number;
  isAnswered: boolean;
}

/**
 * Live exchanges by decision number, oldest first. The Map holds places instead of exchanges: tables that
 * it outgrew or tidied stay linked to their successors, and one that became old garbage would keep every
 * exchange since alive until the next full collection.
 */
export class ExchangeTable {
  readonly #placeByDecision = new Map<DecisionNumber, number>();
  readonly #exchanges: (LiveExchange | undefined)[] = [];
  readonly #free: number[] = [];

  get count(): number {
    return this.#placeByDecision.size;
  }

  add(exchange: LiveExchange): void {
    const place = this.#free.pop() ?? this.#exchanges.length;
    this.#exchanges[place] = exchange;
    this.#placeByDecision.set(exchange.decision, place);
  }

  find(decision: DecisionNumber): LiveExchange | undefined {
    const place = this.#placeByDecision.get(decision);
    return place === undefined ? undefined : this.#exchanges[place];
  }

  take(decision: DecisionNumber): LiveExchange | undefined {
    const place = this.#placeByDecision.get(decision);
    if (place === undefined) return undefined;
    const exchange = this.#exchanges[place];
    this.#exchanges[place] = undefined;
    this.#placeByDecision.delete(decision);
    this.#free.push(place);
    return exchange;
  }

  /** The one that started first; a Map keeps the order of insertion. */
  oldest(): LiveExchange | undefined {
    for (const place of this.#placeByDecision.values()) return this.#exchanges[place];
    return undefined;
  }
}

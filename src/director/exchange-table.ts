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

/** Live exchanges by decision number, oldest first. */
export class ExchangeTable {
  readonly #live = new Map<DecisionNumber, LiveExchange>();

  get count(): number {
    return this.#live.size;
  }

  add(exchange: LiveExchange): void {
    this.#live.set(exchange.decision, exchange);
  }

  find(decision: DecisionNumber): LiveExchange | undefined {
    return this.#live.get(decision);
  }

  take(decision: DecisionNumber): LiveExchange | undefined {
    const exchange = this.#live.get(decision);
    this.#live.delete(decision);
    return exchange;
  }

  /** The one that started first; a Map keeps the order of insertion. */
  oldest(): LiveExchange | undefined {
    for (const exchange of this.#live.values()) return exchange;
    return undefined;
  }
}

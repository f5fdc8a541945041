import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import type { Target } from "./dispatch-plan.ts";

/** One target for each endpoint, which all plans share: 32 of their own would be half of a plan's cost. */
export class TargetTable {
  readonly #endpoints: EndpointTable;
  #targets: (Target | undefined)[] = [];
  /** As of which the targets are. */
  #ids: EndpointTable["ids"] = [];

  constructor(endpoints: EndpointTable) {
    this.#endpoints = endpoints;
  }

  /** Targets of the first `count` slots. */
  of(slots: readonly number[], count: number): Target[] {
    const endpoints = this.#endpoints;
    if (this.#ids !== endpoints.ids) {
      this.#ids = endpoints.ids;
      this.#targets = [];
    }
    const targets: Target[] = [];
    for (let i = 0; i < Math.min(count, slots.length); i++) {
      targets.push(this.#at(slots[i] as number));
    }
    return targets;
  }

  #at(slot: number): Target {
    const endpoints = this.#endpoints;
    this.#targets[slot] ??= {
      slot,
      generation: endpoints.generation(slot),
      id: endpoints.id(slot),
      address: endpoints.address(slot),
    };
    return this.#targets[slot];
  }
}

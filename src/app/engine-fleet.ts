import { endpointId } from "../core/brand.ts";
import type { Clock } from "../core/clock.ts";
import type { KvEvent } from "../core/kv-event.ts";
import type { RouterCore } from "../director/router-core.ts";
import type { EngineHostEvents } from "./engine-host-client.ts";
import type { EngineAddress } from "./engine-host-protocol.ts";
import type { EnginePlan } from "./engine-plan.ts";
import type { Router } from "./start-router.ts";

/** The simulated engines as the router knows them: what the host says becomes endpoint changes. */
export class EngineFleet implements EngineHostEvents {
  readonly #plans: ReadonlyMap<string, EnginePlan>;
  readonly #clock: Clock;
  readonly #addresses = new Map<string, EngineAddress>();
  readonly gaveUp: () => void;
  #router: Router | undefined;

  constructor(plans: readonly EnginePlan[], clock: Clock, gaveUp: () => void) {
    this.#plans = new Map(plans.map((plan) => [plan.name, plan]));
    this.#clock = clock;
    this.gaveUp = gaveUp;
  }

  /** The router that is told; set before the first engine is up. */
  serve(router: Router): void {
    this.#router = router;
  }

  addressOf(engine: string): EngineAddress | undefined {
    return this.#addresses.get(engine);
  }

  launched(engines: readonly EngineAddress[]): void {
    for (const engine of engines) {
      this.#addresses.set(engine.name, engine);
      this.#announce(engine);
    }
  }

  lost(): void {
    for (const name of this.#plans.keys()) this.#forget(name);
  }

  /** Everything that was known of its cache is void, so it is a new endpoint at the old address. */
  restarted(engine: string): void {
    this.#forget(engine);
    const address = this.#addresses.get(engine);
    if (address !== undefined) this.#announce(address);
  }

  kvEvents(engine: string, events: readonly KvEvent[]): void {
    const core = this.#coreOf(engine);
    const slot = core?.slotOf(endpointId(engine));
    if (slot !== undefined) core?.kvEvents(slot, events, this.#clock.nowMs());
  }

  #announce({ name, address }: EngineAddress): void {
    const labels = this.#plans.get(name)?.labels ?? {};
    const endpoint = { id: endpointId(name), address, labels };
    this.#coreOf(name)?.endpoint({ kind: "added", endpoint }, this.#clock.nowMs());
  }

  #forget(engine: string): void {
    const change = { kind: "removed", id: endpointId(engine) } as const;
    this.#coreOf(engine)?.endpoint(change, this.#clock.nowMs());
    const known = this.#addresses.get(engine);
    if (known !== undefined) this.#router?.forget(known.address);
  }

  #coreOf(engine: string): RouterCore | undefined {
    const plan = this.#plans.get(engine);
    return plan === undefined ? undefined : this.#router?.core(plan.pool);
  }
}

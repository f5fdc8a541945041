import { invariant } from "../core/invariant.ts";
import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import type { ProfileOutcome } from "../plugin/cycle.ts";
import type { PlanEditor } from "../plugin/plugin-instance.ts";
import {
  type DispatchPlan,
  type LegRunner,
  ROUTING_HEADERS,
  type Target,
} from "./dispatch-plan.ts";

const NO_SLOTS: readonly number[] = [];

/** A plan while hooks may still change it. */
export class PlanDraft implements PlanEditor {
  readonly primary: readonly number[];
  readonly prefill: readonly number[];
  readonly #advertised: number;
  readonly #headers = new Map<string, string>();

  constructor(primary: ProfileOutcome | undefined, prefill: ProfileOutcome | undefined) {
    invariant(primary?.kind === "picked", "the handler's primary profile picked nobody");
    this.primary = primary.slots;
    this.#advertised = primary.advertised;
    this.prefill = prefill?.kind === "picked" ? prefill.slots : NO_SLOTS;
  }

  setHeader(name: string, value: string): void {
    this.#headers.set(name.toLowerCase(), value);
  }

  toPlan(endpoints: EndpointTable, legs: LegRunner): DispatchPlan {
    const toTarget = (slot: number): Target => ({
      slot,
      generation: endpoints.generation(slot),
      id: endpoints.id(slot),
      address: endpoints.address(slot),
    });
    return {
      primary: this.primary.map(toTarget),
      advertised: this.#advertised,
      prefill: this.prefill.map(toTarget),
      legs,
      setHeaders: this.#headers,
      removeHeaders: ROUTING_HEADERS,
      edits: [],
    };
  }
}

import { invariant } from "../core/invariant.ts";
import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import type { ProfileOutcome } from "../plugin/cycle.ts";
import type { PlanEditor } from "../plugin/plugin-instance.ts";
import { RANKED_MAX } from "../plugin/ranked-count.ts";
import type { SpanEdit } from "../request/span-edit.ts";
import {
  type DispatchPlan,
  type LegRunner,
  ROUTING_HEADERS,
  type Target,
} from "./dispatch-plan.ts";

/** Tells a sidecar which rank was chosen. */
const DATA_PARALLEL_HEADER = "x-data-parallel-host-port";
const NO_SLOTS: readonly number[] = [];

/** What the handler made of the profiles. */
export interface StageOutcomes {
  readonly primary: ProfileOutcome | undefined;
  readonly prefill: ProfileOutcome | undefined;
  readonly encode: ProfileOutcome | undefined;
  readonly primaryPort: number | undefined;
}

/** A plan while hooks may still change it. */
export class PlanDraft implements PlanEditor {
  readonly primary: readonly number[];
  readonly prefill: readonly number[];
  readonly encode: readonly number[];
  readonly #advertised: number;
  readonly #primaryPort: number | undefined;
  readonly #headers = new Map<string, string>();

  constructor(stages: StageOutcomes) {
    const { primary } = stages;
    invariant(primary?.kind === "picked", "the handler's primary profile picked nobody");
    this.primary = primary.slots;
    this.#advertised = primary.advertised;
    this.#primaryPort = stages.primaryPort;
    this.prefill = stages.prefill?.kind === "picked" ? stages.prefill.slots : NO_SLOTS;
    this.encode = advertisedSlots(stages.encode);
  }

  setHeader(name: string, value: string): void {
    this.#headers.set(name.toLowerCase(), value);
  }

  toPlan(endpoints: EndpointTable, legs: LegRunner, edits: readonly SpanEdit[]): DispatchPlan {
    const toTarget = (slot: number): Target => ({
      slot,
      generation: endpoints.generation(slot),
      id: endpoints.id(slot),
      address: endpoints.address(slot),
    });
    const kept = Math.max(RANKED_MAX, this.#advertised);
    return {
      primary: this.primary.slice(0, kept).map((slot) => this.#atPort(toTarget(slot))),
      advertised: this.#advertised,
      prefill: this.prefill.slice(0, kept).map(toTarget),
      encode: this.encode.map(toTarget),
      legs,
      setHeaders: this.#headers,
      removeHeaders: ROUTING_HEADERS,
      edits,
    };
  }

  /** A data-parallel rank is reached through the port of its host, and named by header (llm-d). */
  #atPort(target: Target): Target {
    if (this.#primaryPort === undefined) return target;
    const host = target.address.slice(0, target.address.lastIndexOf(":"));
    return {
      ...target,
      address: `${host}:${this.#primaryPort}`,
      headers: new Map([[DATA_PARALLEL_HEADER, target.address]]),
    };
  }
}

/** Every encode endpoint that is named gets work, so only those that the picker advertises are. */
function advertisedSlots(outcome: ProfileOutcome | undefined): readonly number[] {
  return outcome?.kind === "picked" ? outcome.slots.slice(0, outcome.advertised) : NO_SLOTS;
}

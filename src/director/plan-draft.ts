import { invariant } from "../core/invariant.ts";
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
import type { TargetTable } from "./target-table.ts";

/** Tells a sidecar which rank was chosen. */
const DATA_PARALLEL_HEADER = "x-data-parallel-host-port";
const NO_HEADERS: ReadonlyMap<string, string> = new Map();
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
  #headers: Map<string, string> | undefined;

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
    this.#headers ??= new Map();
    this.#headers.set(name.toLowerCase(), value);
  }

  toPlan(targets: TargetTable, legs: LegRunner, edits: readonly SpanEdit[]): DispatchPlan {
    const kept = Math.max(RANKED_MAX, this.#advertised);
    const primary = targets.of(this.primary, kept);
    return {
      primary:
        this.#primaryPort === undefined ? primary : primary.map((target) => this.#atPort(target)),
      advertised: this.#advertised,
      prefill: targets.of(this.prefill, kept),
      encode: targets.of(this.encode, this.encode.length),
      legs,
      setHeaders: this.#headers ?? NO_HEADERS,
      removeHeaders: ROUTING_HEADERS,
      edits,
    };
  }

  /** A data-parallel rank is reached through the port of its host, and named by header (llm-d). */
  #atPort(target: Target): Target {
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

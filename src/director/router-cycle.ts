import { type ProfileName, profileName } from "../core/brand.ts";
import { invariant } from "../core/invariant.ts";
import { SeededRng } from "../core/rng.ts";
import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import type { NumericAttribute } from "../endpoints/numeric-attribute.ts";
import type { ProfileOutcome } from "../plugin/cycle.ts";
import type { RequestAttribute } from "../plugin/request-attribute.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import type { SchedulableCycle } from "../scheduling/schedule.ts";

const NO_PROFILE = profileName("");

/** The one cycle of a core, begun anew for each request: decisions are synchronous, so one is enough. */
export class RouterCycle implements SchedulableCycle {
  readonly endpoints: EndpointTable;
  readonly profiles: readonly ProfileName[];
  readonly rng: SeededRng;
  readonly outcomes: Map<ProfileName, ProfileOutcome> = new Map();
  profile: ProfileName = NO_PROFILE;
  nowMs = 0;
  readonly #seed: number;
  readonly #attributes = new Map<RequestAttribute<unknown>, unknown>();
  /** What each producer set, where it said its name. */
  readonly #byProducer = new Map<string, Map<RequestAttribute<unknown>, unknown>>();
  #request: InferenceRequest | undefined;

  constructor(options: {
    endpoints: EndpointTable;
    profiles: readonly ProfileName[];
    seed: number;
  }) {
    this.endpoints = options.endpoints;
    this.profiles = options.profiles;
    this.#seed = options.seed;
    this.rng = new SeededRng(options.seed);
  }

  get request(): InferenceRequest {
    invariant(this.#request !== undefined, "a cycle was read outside of a decision");
    return this.#request;
  }

  /** Rules may have put another request in the place of the one that arrived. */
  set request(request: InferenceRequest) {
    this.#request = request;
  }

  begin(request: InferenceRequest, decision: number, nowMs: number): void {
    this.#request = request;
    this.nowMs = nowMs;
    this.profile = NO_PROFILE;
    this.rng.reseed(this.#seed, decision);
    this.#clear();
    if (this.outcomes.size > 0) this.outcomes.clear();
  }

  /** Lets go of the request, so that nothing keeps its prompt alive. */
  end(): void {
    this.#request = undefined;
    this.#clear();
  }

  column(attribute: NumericAttribute): Float64Array {
    return this.endpoints.column(attribute);
  }

  get<T>(attribute: RequestAttribute<T>, producer?: string): T | undefined {
    const values = producer === undefined ? this.#attributes : this.#byProducer.get(producer);
    // The key carries the type of what `set` stored under it.
    return values?.get(attribute) as T | undefined;
  }

  set<T>(attribute: RequestAttribute<T>, value: T, producer?: string): void {
    if (!this.#attributes.has(attribute)) this.#attributes.set(attribute, value);
    if (producer === undefined) return;
    const own = this.#byProducer.get(producer) ?? new Map<RequestAttribute<unknown>, unknown>();
    own.set(attribute, value);
    this.#byProducer.set(producer, own);
  }

  outcome(profile: ProfileName): ProfileOutcome | undefined {
    return this.outcomes.get(profile);
  }

  #clear(): void {
    // Clearing an empty map costs as much as clearing a full one.
    if (this.#attributes.size > 0) this.#attributes.clear();
    for (const own of this.#byProducer.values()) if (own.size > 0) own.clear();
  }
}

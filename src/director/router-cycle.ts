import { type ProfileName, profileName } from "../core/brand.ts";
import { invariant } from "../core/invariant.ts";
import { SeededRng } from "../core/rng.ts";
import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import type { NumericAttribute } from "../endpoints/numeric-attribute.ts";
import type { ProfileOutcome } from "../plugin/cycle.ts";
import type { RequestAttribute } from "../plugin/request-attribute.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import type { SchedulableCycle } from "../scheduling/schedule.ts";

interface AttributeValue {
  attribute: RequestAttribute<unknown>;
  producer: string | undefined;
  value: unknown;
}

const NO_PROFILE = profileName("");

/** The one cycle of a core, begun anew for each request: decisions are synchronous, so one is enough. */
export class RouterCycle implements SchedulableCycle {
  readonly endpoints: EndpointTable;
  readonly profiles: readonly ProfileName[];
  readonly rng: SeededRng;
  /** Undefined for a profile that has not run; entries stay, as clearing a Map makes a new table. */
  readonly outcomes: Map<ProfileName, ProfileOutcome | undefined> = new Map();
  profile: ProfileName = NO_PROFILE;
  nowMs = 0;
  readonly #seed: number;
  /** In the order in which they were set; a handful, which is read faster than a Map. */
  readonly #values: AttributeValue[] = [];
  #valueCount = 0;
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
    this.clearOutcomes();
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
    // The key carries the type of what `set` stored under it.
    return this.#find(attribute, producer)?.value as T | undefined;
  }

  set<T>(attribute: RequestAttribute<T>, value: T, producer?: string): void {
    const known = this.#find(attribute, producer);
    if (known !== undefined) {
      if (producer !== undefined) known.value = value;
      return;
    }
    const place = this.#valueCount++;
    this.#values[place] ??= { attribute, producer, value };
    const entry = this.#values[place];
    entry.attribute = attribute;
    entry.producer = producer;
    entry.value = value;
  }

  /** No profile has run yet. */
  clearOutcomes(): void {
    for (const profile of this.profiles) this.outcomes.set(profile, undefined);
  }

  outcome(profile: ProfileName): ProfileOutcome | undefined {
    return this.outcomes.get(profile);
  }

  #find(
    attribute: RequestAttribute<unknown>,
    producer: string | undefined,
  ): AttributeValue | undefined {
    for (let i = 0; i < this.#valueCount; i++) {
      const entry = this.#values[i] as AttributeValue;
      if (entry.attribute !== attribute) continue;
      if (producer === undefined || entry.producer === producer) return entry;
    }
    return undefined;
  }

  #clear(): void {
    for (let i = 0; i < this.#valueCount; i++)
      (this.#values[i] as AttributeValue).value = undefined;
    this.#valueCount = 0;
  }
}

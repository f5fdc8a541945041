import type { EndpointId, ProfileName } from "../core/brand.ts";
import type { Outcome } from "../core/exchange-report.ts";
import type { EndCause, Rejection } from "../core/rejection.ts";
import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import {
  inFlightRequests,
  kvCacheUsage,
  type NumericAttribute,
  runningRequests,
  scrapedAtMs,
  scrapedKvCacheUsage,
  scrapedWaitingQueueDepth,
  waitingQueueDepth,
} from "../endpoints/numeric-attribute.ts";
import type {
  CandidateFate,
  CandidateMetrics,
  Decision,
  OmittedCandidates,
  ProfileDecision,
  RequestFacts,
  RetryStep,
} from "./decision.ts";
import { type ProfileRun, SURVIVED } from "./profile-run.ts";
import type { SchedulingProfile } from "./scheduling-profile.ts";

/** Candidates that a decision lists in full. */
const LISTED_MAX = 128;
/** Candidates listed of a larger decision. */
const LISTED_OF_LARGE = 32;

/** Columns kept for each candidate, in this order, before its total, rank, filter and scores. */
const METRICS: readonly NumericAttribute[] = [
  scrapedAtMs,
  waitingQueueDepth,
  scrapedWaitingQueueDepth,
  kvCacheUsage,
  scrapedKvCacheUsage,
  runningRequests,
  inFlightRequests,
];
const TOTAL = METRICS.length;
const RANK = TOTAL + 1;
const FILTER = TOTAL + 2;
const SCORES = TOTAL + 3;

interface StoredProfile {
  profile: SchedulingProfile;
  listedCount: number;
  /** `listedCount` rows of SCORES + scorers numbers. */
  numbers: Float64Array;
  endpoints: (EndpointId | undefined)[];
  reasons: (string | undefined)[];
  omitted: readonly OmittedCandidates[];
}

/** One decision as numbers; turned into an object only when somebody reads it. */
export class DecisionRecord {
  number = 0;
  atMs = 0;
  state: Decision["state"] = "open";
  request: RequestFacts | undefined;
  prefixSource: Decision["prefixSource"] = null;
  endpoint: EndpointId | undefined;
  prefillEndpoint: EndpointId | undefined;
  rejection: Rejection | undefined;
  retries: RetryStep[] = [];
  how: EndCause | undefined;
  outcome: Outcome | undefined;
  readonly #profiles: StoredProfile[] = [];
  #profileCount = 0;

  begin(number: number, atMs: number, request: RequestFacts): void {
    this.number = number;
    this.atMs = atMs;
    this.request = request;
    this.prefixSource = null;
    this.state = "open";
    this.endpoint = undefined;
    this.prefillEndpoint = undefined;
    this.rejection = undefined;
    this.retries = [];
    this.how = undefined;
    this.outcome = undefined;
    this.#profileCount = 0;
  }

  /** Copies what a profile's run saw; call after each run and before the table changes. */
  addRun(run: ProfileRun, endpoints: EndpointTable): void {
    const isLarge = run.candidateCount > LISTED_MAX;
    const listed = isLarge
      ? run.order.subarray(0, Math.min(LISTED_OF_LARGE, run.survivorCount))
      : undefined;
    const count = listed?.length ?? run.candidateCount;
    const stored = this.#storeFor(run.profile, count);
    const width = SCORES + run.profile.scorers.length;
    for (let offset = 0; offset < METRICS.length; offset++) {
      const column = endpoints.column(METRICS[offset] as NumericAttribute);
      for (let row = 0; row < count; row++) {
        const candidate = listed === undefined ? row : (listed[row] as number);
        stored.numbers[row * width + offset] = column[run.slots[candidate] as number] as number;
      }
    }
    for (let row = 0; row < count; row++) {
      const candidate = listed === undefined ? row : (listed[row] as number);
      const base = row * width;
      stored.numbers[base + TOTAL] = run.totals[candidate] as number;
      stored.numbers[base + RANK] = 0;
      stored.numbers[base + FILTER] = run.rejectedBy[candidate] as number;
      for (let scorer = 0; scorer < run.scores.length; scorer++) {
        const scores = run.scores[scorer] as Float64Array;
        stored.numbers[base + SCORES + scorer] = scores[candidate] as number;
      }
      stored.endpoints[row] = endpoints.id(run.slots[candidate] as number);
      stored.reasons[row] = run.reasons[candidate];
    }
    for (let rank = 0; rank < Math.min(run.survivorCount, count); rank++) {
      const row = listed === undefined ? (run.order[rank] as number) : rank;
      stored.numbers[row * width + RANK] = rank + 1;
    }
    stored.omitted = isLarge ? countOmitted(run, count) : [];
  }

  /** Bytes of the numbers kept. */
  get sizeBytes(): number {
    let bytes = 0;
    for (const { numbers } of this.#profiles) bytes += numbers.byteLength;
    return bytes;
  }

  /** Drops the memory of a row that a full ring gives up. */
  clear(): void {
    this.#profiles.length = 0;
    this.#profileCount = 0;
    this.request = undefined;
  }

  toDecision(pool: string): Decision {
    const { request } = this;
    if (request === undefined) throw new Error("an empty record was read");
    return {
      id: `${pool}.${this.number}`,
      number: this.number,
      atMs: this.atMs,
      state: this.state,
      request,
      prefixSource: this.prefixSource,
      profiles: this.#profiles
        .slice(0, this.#profileCount)
        .map((stored) => readProfile(stored, this.atMs)),
      endpoint: this.endpoint ?? null,
      prefillEndpoint: this.prefillEndpoint ?? null,
      rejection: this.rejection ?? null,
      retries: [...this.retries],
      how: this.how ?? null,
      outcome: this.outcome ?? null,
    };
  }

  #storeFor(profile: SchedulingProfile, count: number): StoredProfile {
    const numbers = count * (SCORES + profile.scorers.length);
    const index = this.#profileCount++;
    const known = this.#profiles[index];
    if (known !== undefined && known.numbers.length >= numbers) {
      known.profile = profile;
      known.listedCount = count;
      return known;
    }
    const fresh: StoredProfile = {
      profile,
      listedCount: count,
      numbers: new Float64Array(numbers),
      endpoints: [],
      reasons: [],
      omitted: [],
    };
    this.#profiles[index] = fresh;
    return fresh;
  }
}

function countOmitted(run: ProfileRun, listedCount: number): readonly OmittedCandidates[] {
  const counts = new Map<string, { filter: string | null; reason: string | null; count: number }>();
  for (let candidate = 0; candidate < run.candidateCount; candidate++) {
    const filterIndex = run.rejectedBy[candidate] as number;
    if (filterIndex === SURVIVED) continue;
    const filter = run.profile.filters[filterIndex]?.name ?? null;
    const reason = run.reasons[candidate] ?? null;
    const key = `${filter}\n${reason}`;
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { filter, reason, count: 1 });
    else known.count++;
  }
  const unlisted = run.survivorCount - listedCount;
  const survivors = unlisted > 0 ? [{ filter: null, reason: null, count: unlisted }] : [];
  return [...counts.values(), ...survivors];
}

function readProfile(stored: StoredProfile, atMs: number): ProfileDecision {
  const { profile } = stored;
  const candidates = Array.from({ length: stored.listedCount }, (_, row) =>
    readCandidate(stored, row, atMs),
  );
  const first = candidates.find((candidate) => candidate.rank === 1);
  const second = candidates.find((candidate) => candidate.rank === 2);
  return {
    profile: profile.name satisfies ProfileName,
    picker: profile.picker.name,
    scorers: profile.scorers.map(({ plugin, weight }) => ({ scorer: plugin.name, weight })),
    candidates,
    omitted: stored.omitted,
    picked: first?.endpoint ?? null,
    runnerUp: second?.endpoint ?? null,
    margin: marginBetween(first?.total, second?.total),
  };
}

function readCandidate(stored: StoredProfile, row: number, atMs: number): CandidateFate {
  const { profile, numbers } = stored;
  const base = row * (SCORES + profile.scorers.length);
  const filterIndex = numbers[base + FILTER] as number;
  const isRejected = filterIndex !== SURVIVED;
  const rank = numbers[base + RANK] as number;
  return {
    endpoint: stored.endpoints[row] as EndpointId,
    rejectedBy: isRejected ? (profile.filters[filterIndex]?.name ?? null) : null,
    reason: isRejected ? (stored.reasons[row] ?? null) : null,
    scores: isRejected
      ? []
      : profile.scorers.map(({ weight }, scorer) => {
          const raw = numbers[base + SCORES + scorer] as number;
          return { raw, weighted: raw * weight };
        }),
    total: isRejected ? null : (numbers[base + TOTAL] as number),
    rank: rank === 0 ? null : rank,
    metrics: readMetrics(numbers.subarray(base, base + METRICS.length), atMs),
  };
}

function readMetrics(values: Float64Array, atMs: number): CandidateMetrics {
  const known = (attribute: NumericAttribute): number | null => {
    const value = values[METRICS.indexOf(attribute)] as number;
    return Number.isNaN(value) ? null : value;
  };
  const scrapedAt = known(scrapedAtMs);
  return {
    ageMs: scrapedAt === null ? null : atMs - scrapedAt,
    waitingQueueDepth: known(waitingQueueDepth),
    scrapedWaitingQueueDepth: known(scrapedWaitingQueueDepth),
    kvCacheUsage: known(kvCacheUsage),
    scrapedKvCacheUsage: known(scrapedKvCacheUsage),
    runningRequests: known(runningRequests),
    inFlightRequests: known(inFlightRequests),
  };
}

function marginBetween(
  first: number | null | undefined,
  second: number | null | undefined,
): number | null {
  return typeof first === "number" && typeof second === "number" ? first - second : null;
}

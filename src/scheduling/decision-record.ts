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
import { RANKED_MAX } from "../plugin/ranked-count.ts";
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

/** Candidates that a decision lists in full; of more it lists the ranked ones, 32 at most. */
const LISTED_MAX = 128;

/** Columns kept for each candidate, in this order, before its slot, rank, filter and scores. */
const METRICS: readonly NumericAttribute[] = [
  scrapedAtMs,
  waitingQueueDepth,
  scrapedWaitingQueueDepth,
  kvCacheUsage,
  scrapedKvCacheUsage,
  runningRequests,
  inFlightRequests,
];
const SLOT = METRICS.length;
const RANK = SLOT + 1;
const FILTER = SLOT + 2;
const SCORES = SLOT + 3;

const FIRST_TO_LAST = Int32Array.from({ length: LISTED_MAX }, (_, index) => index);
const NOBODY: readonly OmittedCandidates[] = [];

interface StoredProfile {
  profile: SchedulingProfile;
  listedCount: number;
  /** 0 for a run that failed: then nobody has a rank. */
  survivorCount: number;
  /** SCORES + scorers columns of `listedCount` numbers. */
  numbers: Float64Array;
  /** Ids by slot at that time: nothing is copied for a candidate whose name nobody may ever read. */
  ids: readonly EndpointId[];
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
  #sizeBytes = 0;

  begin(number: number, atMs: number, request: RequestFacts): void {
    this.number = number;
    this.atMs = atMs;
    this.request = request;
    this.prefixSource = null;
    this.state = "open";
    this.endpoint = undefined;
    this.prefillEndpoint = undefined;
    this.rejection = undefined;
    if (this.retries.length > 0) this.retries = [];
    this.how = undefined;
    this.outcome = undefined;
    this.#profileCount = 0;
  }

  /** Copies what a profile's run saw; call after each run and before the table changes. */
  addRun(run: ProfileRun, endpoints: EndpointTable): void {
    const isLarge = run.candidateCount > LISTED_MAX;
    const listed = isLarge ? run.order : FIRST_TO_LAST;
    const count = isLarge ? Math.min(RANKED_MAX, run.rankedCount) : run.candidateCount;
    const stored = this.#storeFor(run.profile, count);
    const { numbers } = stored;
    const slots = isLarge ? run.rankedSlots : run.slots;
    stored.survivorCount = run.survivorCount;
    stored.ids = endpoints.ids;
    for (let metric = 0; metric < METRICS.length; metric++) {
      const column = endpoints.column(METRICS[metric] as NumericAttribute);
      copyListed(numbers, metric * count, column, slots, count);
    }
    copyListed(numbers, SLOT * count, slots, FIRST_TO_LAST, count);
    copyListed(numbers, FILTER * count, run.rejectedBy, listed, count);
    for (let scorer = 0; scorer < run.scores.length; scorer++) {
      const scores = run.scores[scorer] as Float64Array;
      copyListed(numbers, (SCORES + scorer) * count, scores, listed, count);
    }
    numbers.fill(0, RANK * count, (RANK + 1) * count);
    for (let rank = 0; rank < Math.min(run.rankedCount, count); rank++) {
      const row = isLarge ? rank : (run.order[rank] as number);
      numbers[RANK * count + row] = rank + 1;
    }
    if (!isLarge && run.survivorCount < count) {
      for (let row = 0; row < count; row++) stored.reasons[row] = run.reasons[row];
    }
    stored.omitted = isLarge ? countOmitted(run, count) : NOBODY;
  }

  /** Bytes of the numbers kept. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Drops the memory of a row that a full ring gives up. */
  clear(): void {
    this.#profiles.length = 0;
    this.#sizeBytes = 0;
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
      survivorCount: 0,
      numbers: new Float64Array(numbers),
      ids: [],
      reasons: [],
      omitted: [],
    };
    this.#sizeBytes += fresh.numbers.byteLength - (known?.numbers.byteLength ?? 0);
    this.#profiles[index] = fresh;
    return fresh;
  }
}

function copyListed(
  numbers: Float64Array,
  start: number,
  values: Float64Array | Int32Array,
  listed: Int32Array,
  count: number,
): void {
  for (let row = 0; row < count; row++)
    numbers[start + row] = values[listed[row] as number] as number;
}

function countOmitted(run: ProfileRun, listedCount: number): readonly OmittedCandidates[] {
  const unlisted = run.survivorCount - listedCount;
  const survivors = unlisted > 0 ? [{ filter: null, reason: null, count: unlisted }] : NOBODY;
  if (run.survivorCount === run.candidateCount) return survivors;
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
  return [...counts.values(), ...survivors];
}

function readProfile(stored: StoredProfile, atMs: number): ProfileDecision {
  const { profile } = stored;
  const totals = readTotals(stored);
  const candidates = Array.from(readRanks(stored, totals), (rank, row) =>
    readCandidate(stored, row, {
      atMs,
      rank: rank === 0 ? null : rank,
      total: totals[row] as number,
    }),
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

/** Totals by row: added in the order in which the run added them, they are the same to the last bit. */
function readTotals({ profile, numbers, listedCount }: StoredProfile): Float64Array {
  const totals = new Float64Array(listedCount);
  for (const [scorer, { weight }] of profile.scorers.entries()) {
    const start = (SCORES + scorer) * listedCount;
    for (let row = 0; row < listedCount; row++) {
      totals[row] = (totals[row] as number) + (numbers[start + row] as number) * weight;
    }
  }
  return totals;
}

/** Ranks by row, 0 for none. The picker ranked the best; behind them the others stand by their totals. */
function readRanks(
  { numbers, listedCount, survivorCount }: StoredProfile,
  totals: Float64Array,
): Float64Array {
  const column = (at: number): Float64Array =>
    numbers.subarray(at * listedCount, (at + 1) * listedCount);
  const [ranks, filters] = [column(RANK).slice(), column(FILTER)];
  if (survivorCount === 0) return ranks;
  const unranked = FIRST_TO_LAST.subarray(0, listedCount).filter(
    (row) => ranks[row] === 0 && filters[row] === SURVIVED,
  );
  unranked.sort((left, right) => (totals[right] as number) - (totals[left] as number));
  const rankedCount = ranks.reduce((highest, rank) => Math.max(highest, rank), 0);
  unranked.forEach((row, at) => {
    ranks[row] = rankedCount + 1 + at;
  });
  return ranks;
}

interface ReadValues {
  readonly atMs: number;
  readonly rank: number | null;
  readonly total: number;
}

function readCandidate(
  stored: StoredProfile,
  row: number,
  { atMs, rank, total }: ReadValues,
): CandidateFate {
  const { profile, numbers, listedCount } = stored;
  const numberIn = (column: number): number => numbers[column * listedCount + row] as number;
  const filterIndex = numberIn(FILTER);
  const isRejected = filterIndex !== SURVIVED;
  return {
    endpoint: stored.ids[numberIn(SLOT)] as EndpointId,
    rejectedBy: isRejected ? (profile.filters[filterIndex]?.name ?? null) : null,
    reason: isRejected ? (stored.reasons[row] ?? null) : null,
    scores: isRejected
      ? []
      : profile.scorers.map(({ weight }, scorer) => {
          const raw = numberIn(SCORES + scorer);
          return { raw, weighted: raw * weight };
        }),
    total: isRejected ? null : total,
    rank,
    metrics: readMetrics(
      METRICS.map((_, metric) => numberIn(metric)),
      atMs,
    ),
  };
}

function readMetrics(values: readonly number[], atMs: number): CandidateMetrics {
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

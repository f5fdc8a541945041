import type { RouterConfig } from "../../config/router-config.ts";
import { ConfigError } from "../../core/config-error.ts";
import type { RecordedInput, RecordedPool, RecordingHeader } from "../../director/recorded-line.ts";
import type { Registry } from "../../plugin/registry.ts";
import type { CandidateFate, ProfileDecision } from "../../scheduling/decision.ts";
import { routerConfigOf } from "./recorded-config.ts";
import { recordedRequest } from "./recorded-request.ts";
import type { PoolReplay, ProfileChange, RequestChange, Standing } from "./replay-report.ts";
import { type InputOf, type ReplayedDecision, ReplaySide } from "./replay-side.ts";
import { SideTally } from "./side-tally.ts";

/** Another configuration for a pool, and the file that it is from. */
export interface OtherConfig {
  readonly file: string;
  readonly config: RouterConfig;
}

/** Changed requests that are kept; all are counted. */
const CHANGES_MAX = 10_000;

/** One pool, replayed with its recorded configuration and, where there is one, beside it with another. */
export class PoolRun {
  readonly #pool: RecordedPool;
  readonly #registry: Registry;
  readonly #other: OtherConfig | undefined;
  readonly #before: Side;
  /** Absent without another configuration: the recorded one was replayed and there is no after. */
  readonly #after: Side | undefined;
  readonly #changes: RequestChange[] = [];
  readonly #counts = { requests: 0, changed: 0, moved: 0, prefill: 0, rejected: 0, admitted: 0 };
  readonly #reported = { promptTokens: 0, cachedTokens: 0 };
  #reloadCount = 0;

  constructor(
    header: RecordingHeader,
    pool: RecordedPool,
    parts: { readonly registry: Registry; readonly other: OtherConfig | undefined },
  ) {
    const { registry, other } = parts;
    this.#pool = pool;
    this.#registry = registry;
    this.#other = other;
    const sideOf = (config: RouterConfig): Side => ({
      core: new ReplaySide(header, pool, config),
      tally: new SideTally(),
    });
    this.#before = sideOf(routerConfigOf(pool.config, registry));
    this.#after = other === undefined ? undefined : sideOf(other.config);
  }

  /** Feeds an input; says in words what came out differently from the recording. */
  apply(input: RecordedInput, line: number): string | undefined {
    switch (input.kind) {
      case "arrive":
        return this.#arrive(input, line);
      case "retry": {
        const next = this.#before.core.retry(input);
        this.#after?.core.retry(input);
        if (next === input.to) return undefined;
        return `a retry went to ${next ?? "nobody"} instead of ${input.to ?? "nobody"}`;
      }
      case "config":
        // The other configuration is asked about for the whole run, whatever was in effect when.
        this.#reloadCount++;
        this.#before.core.reconfigure(routerConfigOf(input.config, this.#registry));
        return undefined;
      case "end":
        this.#noteUsage(input);
        break;
      case "metrics":
      case "kvEvents":
      case "health":
        if (input.slot < this.#before.core.endpoints.slotCount) break;
        return `slot ${input.slot} was never given to an endpoint`;
      case "firstByte":
      case "endpoint":
      case "drain":
      case "tick":
        break;
    }
    for (const side of this.#sides) applyTo(side, input);
    return undefined;
  }

  report(): PoolReplay {
    const counts = this.#counts;
    const { promptTokens, cachedTokens } = this.#reported;
    const before = this.#before.tally.summary();
    return {
      pool: this.#pool.pool,
      model: this.#pool.model,
      config: this.#other?.file ?? null,
      requests: counts.requests,
      changedCount: counts.changed,
      movedCount: counts.moved,
      prefillChangedCount: counts.prefill,
      newlyRejectedCount: counts.rejected,
      newlyAdmittedCount: counts.admitted,
      reloadCount: this.#reloadCount,
      before,
      after: this.#after?.tally.summary() ?? before,
      reportedCacheHitRatio: promptTokens === 0 ? null : cachedTokens / promptTokens,
      changes: this.#changes,
    };
  }

  get #sides(): readonly Side[] {
    return this.#after === undefined ? [this.#before] : [this.#before, this.#after];
  }

  #arrive(input: InputOf<"arrive">, line: number): string | undefined {
    this.#counts.requests++;
    const before = this.#decide(this.#before, input);
    if (this.#after !== undefined) {
      this.#compare(input, line, before, this.#decide(this.#after, input));
    }
    return mismatchOf(input, before);
  }

  #decide(side: Side, input: InputOf<"arrive">): ReplayedDecision {
    const missing = new Set<number>();
    const request = recordedRequest(input.request, (blockBytes) => missing.add(blockBytes));
    const decision = side.core.arrive(input, request);
    const [blockBytes] = missing;
    if (blockBytes !== undefined) {
      const known = input.request.chains.map((chain) => chain.blockBytes).join(", ");
      const message =
        `it needs prompt blocks of ${blockBytes} bytes, and pool ${this.#pool.pool} was recorded ` +
        `with blocks of ${known} bytes: only multiples of these can be replayed`;
      throw new ConfigError([{ path: this.#other?.file ?? "", message }]);
    }
    side.tally.decided(side.core, decision, request);
    return decision;
  }

  #compare(
    { request, decision }: InputOf<"arrive">,
    line: number,
    from: ReplayedDecision,
    to: ReplayedDecision,
  ): void {
    const counts = this.#counts;
    const isMoved = from.endpoint !== to.endpoint;
    const isPrefillChanged = from.prefill !== to.prefill;
    if (!isMoved && !isPrefillChanged) return;
    counts.changed++;
    if (to.endpoint === null) counts.rejected++;
    else if (from.endpoint === null) counts.admitted++;
    else if (isMoved) counts.moved++;
    if (isPrefillChanged && from.endpoint !== null && to.endpoint !== null) counts.prefill++;
    if (this.#changes.length >= CHANGES_MAX) return;
    this.#changes.push({
      line,
      request: request.id,
      decision: decision.number,
      from: { endpoint: from.endpoint, prefill: from.prefill, rejection: from.rejection },
      to: { endpoint: to.endpoint, prefill: to.prefill, rejection: to.rejection },
      why: whyChanged(from.profiles, to.profiles),
    });
  }

  #noteUsage({ outcome }: InputOf<"end">): void {
    const { promptTokens, cachedTokens } = outcome.usage;
    if (promptTokens === null || cachedTokens === null) return;
    this.#reported.promptTokens += promptTokens;
    this.#reported.cachedTokens += cachedTokens;
  }
}

interface Side {
  readonly core: ReplaySide;
  readonly tally: SideTally;
}

function applyTo({ core, tally }: Side, input: Parameters<ReplaySide["apply"]>[0]): void {
  const change = input.kind === "endpoint" ? input.change : undefined;
  const id = change?.kind === "added" ? change.endpoint.id : change?.id;
  const before = id === undefined ? undefined : core.slotOf(id);
  const isSame =
    change?.kind === "added" &&
    before !== undefined &&
    core.endpoints.address(before) === change.endpoint.address;
  core.apply(input);
  if (before !== undefined && !isSame) tally.forget(before);
  if (input.kind === "health" && !input.isReady) tally.forget(input.slot);
}

/** What differs from the recording, which the recorded configuration must reproduce. */
function mismatchOf({ decision }: InputOf<"arrive">, got: ReplayedDecision): string | undefined {
  for (const field of ["endpoint", "prefill", "rejection"] as const) {
    if (got[field] === decision[field]) continue;
    return `${field} ${got[field] ?? "none"} instead of ${decision[field] ?? "none"}`;
  }
  for (const [index, { profile, picked }] of decision.profiles.entries()) {
    const run = got.profiles[index];
    if (run?.profile === profile && run.picked === picked) continue;
    return `profile ${profile} picked ${run?.picked ?? "nobody"} instead of ${picked ?? "nobody"}`;
  }
  return undefined;
}

/** Scores, under the other configuration, of what it picks and of what was picked before. */
function whyChanged(
  before: readonly ProfileDecision[],
  after: readonly ProfileDecision[],
): readonly ProfileChange[] {
  return after.flatMap((run) => {
    const picked = before.find(({ profile }) => profile === run.profile)?.picked ?? null;
    if (picked === run.picked) return [];
    return [{ profile: run.profile, to: standing(run, run.picked), from: standing(run, picked) }];
  });
}

function standing(run: ProfileDecision, endpoint: string | null): Standing | null {
  const fate: CandidateFate | undefined = run.candidates.find(
    (candidate) => candidate.endpoint === endpoint,
  );
  if (fate === undefined) return null;
  return {
    endpoint: fate.endpoint,
    total: fate.total,
    scores: fate.scores.map(({ weighted }, index) => ({
      scorer: run.scorers[index]?.scorer ?? "",
      weighted,
    })),
    rejectedBy: fate.rejectedBy,
    reason: fate.reason,
  };
}

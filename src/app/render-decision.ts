import type { CandidateFate, Decision, ProfileDecision } from "../scheduling/decision.ts";
import type { Flip } from "./flip.ts";
import { formatTable } from "./table.ts";

/** A decision as a person reads it: profiles in order, each candidate's fate, the pick and its margin. */
export function renderDecision(decision: Decision): string {
  const { request } = decision;
  const head = `${request.kind} request for ${request.model}, ${request.promptBytes} prompt bytes`;
  return [head, ...decision.profiles.map(renderProfile), renderEnd(decision)].join("\n\n");
}

/** What would have changed the winner, a line each. */
export function renderFlips(flips: readonly Flip[]): string {
  if (flips.length === 0) return "no single figure of a runner-up would have changed the winner";
  return flips
    .map(({ profile, endpoint, figure, from, to }) => {
      const words = {
        waitingQueueDepth: "waiting",
        kvCacheUsage: "kv used",
        cachedPrefixBytes: "cached prefix bytes",
      };
      return `${endpoint} would have won ${profile} with ${words[figure]} ${to} instead of ${from}`;
    })
    .join("\n");
}

/** The same request under two configurations, side by side. */
export function renderDiff(
  one: Decision,
  other: Decision,
  names: readonly [string, string],
): string {
  const rows = [...new Set([...fatesOf(one).keys(), ...fatesOf(other).keys()])].map((key) => {
    const [profile = "", endpoint = ""] = key.split("\n");
    return [profile, endpoint, fatesOf(one).get(key) ?? "-", fatesOf(other).get(key) ?? "-"];
  });
  return [
    formatTable(["profile", "endpoint", names[0], names[1]], rows),
    "",
    `${names[0]}: ${renderEnd(one)}`,
    `${names[1]}: ${renderEnd(other)}`,
  ].join("\n");
}

function fatesOf(decision: Decision): ReadonlyMap<string, string> {
  return new Map(
    decision.profiles.flatMap(({ profile, candidates }) =>
      candidates.map(
        (candidate) => [`${profile}\n${candidate.endpoint}`, fateOf(candidate)] as const,
      ),
    ),
  );
}

function fateOf({ rejectedBy, reason, rank, total }: CandidateFate): string {
  if (rejectedBy !== null) return `${rejectedBy}: ${reason}`;
  return rank === null ? "-" : `${rank}. ${fixed(total)}`;
}

function renderProfile(profile: ProfileDecision): string {
  const kept = profile.candidates
    .filter((candidate) => candidate.rank !== null)
    .toSorted((left, right) => (left.rank ?? 0) - (right.rank ?? 0));
  const rejected = profile.candidates.filter((candidate) => candidate.rejectedBy !== null);
  const parts = [`profile ${profile.profile} (${profile.picker})`];
  if (kept.length > 0) parts.push(renderKept(profile, kept));
  if (rejected.length > 0) {
    parts.push(
      formatTable(
        ["rejected", "by", "reason"],
        rejected.map(({ endpoint, rejectedBy, reason }) => [
          endpoint,
          rejectedBy ?? "",
          reason ?? "",
        ]),
      ),
    );
  }
  for (const { filter, reason, count } of profile.omitted) {
    parts.push(
      `${count} more ${filter === null ? "survivors" : `rejected by ${filter}: ${reason}`}`,
    );
  }
  parts.push(renderPick(profile));
  return parts.join("\n");
}

function renderKept(profile: ProfileDecision, kept: readonly CandidateFate[]): string {
  return formatTable(
    [
      "rank",
      "endpoint",
      ...profile.scorers.map(({ scorer, weight }) => `${scorer} x${weight}`),
      "total",
      "waiting",
      "kv used",
      "age ms",
    ],
    kept.map((candidate) => [
      String(candidate.rank),
      candidate.endpoint,
      ...candidate.scores.map(({ raw, weighted }) => `${fixed(raw)} = ${fixed(weighted)}`),
      fixed(candidate.total),
      withScraped(candidate.metrics.waitingQueueDepth, candidate.metrics.scrapedWaitingQueueDepth),
      withScraped(candidate.metrics.kvCacheUsage, candidate.metrics.scrapedKvCacheUsage),
      candidate.metrics.ageMs === null ? "-" : candidate.metrics.ageMs.toFixed(0),
    ]),
  );
}

/** The value that counted, and in brackets what the engine had said where that differs. */
function withScraped(value: number | null, scraped: number | null): string {
  const text = plain(value);
  return value === scraped ? text : `${text} (${plain(scraped)})`;
}

function renderPick(profile: ProfileDecision): string {
  const { picked, runnerUp, margin } = profile;
  if (picked === null) return "picked nobody";
  if (runnerUp === null) return `picked ${picked}, the only one left`;
  if (profile.scorers.length === 0) return `picked ${picked}; no scorer took part`;
  if (margin === 0) return `picked ${picked} by lot: its total is that of ${runnerUp}`;
  return `picked ${picked}, ${fixed(margin)} ahead of ${runnerUp}`;
}

function renderEnd(decision: Decision): string {
  if (decision.rejection !== null) {
    return `rejected (${decision.rejection.reason}): ${decision.rejection.message}`;
  }
  if (decision.prefillEndpoint === null) return `endpoint ${decision.endpoint}`;
  return `prefill on ${decision.prefillEndpoint}, then decode on ${decision.endpoint}`;
}

function fixed(value: number | null): string {
  return value === null ? "-" : value.toFixed(3);
}

function plain(value: number | null): string {
  if (value === null) return "?";
  return Number.isInteger(value) ? String(value) : value.toFixed(3);
}

import { formatTable } from "../app/table.ts";
import { effectOf, REPLAY_LIMITS } from "../sim/replay/effect.ts";
import type {
  Placement,
  PoolReplay,
  ProfileChange,
  ReplayReport,
  Standing,
} from "../sim/replay/replay-report.ts";

/** Changed requests that are printed; `--json` has more. */
const SHOWN_MAX = 20;

/** A replay for people: parity first, then one section a pool. */
export function renderReplay(report: ReplayReport): string {
  const { recording, startedAt, incomplete, pools } = report;
  const parts = [
    `${recording}, recorded from ${startedAt}`,
    parityText(report),
    ...(incomplete === null ? [] : [`Not the whole run: ${incomplete}.`]),
    ...pools.map(renderPool),
  ];
  if (pools.some(({ config }) => config !== null)) parts.push(`Limits: ${REPLAY_LIMITS}`);
  return parts.join("\n\n");
}

function parityText({ isReproduced, mismatchCount, mismatches }: ReplayReport): string {
  if (isReproduced) return "Parity: the recorded configuration made every recorded choice again.";
  const shown = mismatches.map(({ line, message }) => `  line ${line}: ${message}`);
  return [`NO PARITY: ${mismatchCount} choices came out differently.`, ...shown].join("\n");
}

function renderPool(pool: PoolReplay): string {
  const { config, changes, changedCount, before, after, reportedCacheHitRatio, reloadCount } = pool;
  const count = pool.requests === 1 ? "1 request" : `${pool.requests} requests`;
  const name = `${pool.pool} (${pool.model}), ${count}`;
  const lines = [config === null ? `${name}, recorded configuration` : `${name}, with ${config}`];
  if (reloadCount > 0) lines.push(`its configuration was changed ${reloadCount} times meanwhile`);
  const figures = formatTable(
    config === null ? ["figure", "recorded"] : ["figure", "recorded", "other"],
    [
      ["refused", before.rejectedCount, after.rejectedCount],
      ["found cached, own index %", 100 * before.prefixHitRatio, 100 * after.prefixHitRatio],
      ["fullest above mean, requests", before.imbalanceRequests, after.imbalanceRequests],
    ].map(([title, ...values]) => [
      String(title),
      ...values.slice(0, config === null ? 1 : 2).map((value) => figure(Number(value))),
    ]),
  );
  const sections = [lines.join("\n"), figures];
  if (reportedCacheHitRatio !== null) {
    const ratio = (100 * reportedCacheHitRatio).toFixed(1);
    sections.push(`The engines said that ${ratio} % of the prompt tokens were cached.`);
  }
  sections.push(shareTable(pool));
  if (changes.length > 0) {
    const shown = changes
      .slice(0, SHOWN_MAX)
      .map(({ request, from, to, why }) =>
        [`${request}: ${place(from)} -> ${place(to)}`, ...why.map(renderWhy)].join("\n"),
      );
    const rest = changedCount - shown.length;
    sections.push([...shown, ...(rest > 0 ? [`and ${rest} more`] : [])].join("\n"));
  }
  const effect = effectOf(pool);
  if (effect.length > 0) sections.push(effect.join(" "));
  return sections.join("\n\n");
}

function shareTable({ before, after, config }: PoolReplay): string {
  const names = new Set([...before.endpoints, ...after.endpoints].map(({ endpoint }) => endpoint));
  const cells = (side: PoolReplay["before"], name: string): readonly string[] => {
    const share = side.endpoints.find(({ endpoint }) => endpoint === name);
    return [
      String(share?.requests ?? 0),
      (100 * (share?.shareRatio ?? 0)).toFixed(1),
      String(share?.prefills ?? 0),
    ];
  };
  const rows = [...names]
    .toSorted()
    .map((name) => [name, ...cells(before, name), ...(config === null ? [] : cells(after, name))]);
  const header = ["endpoint", "requests", "%", "prefills"];
  const other = ["requests, other", "%", "prefills"];
  return formatTable(config === null ? header : [...header, ...other], rows);
}

function place({ endpoint, prefill, rejection }: Placement): string {
  if (endpoint === null) return `refused (${rejection ?? "unknown"})`;
  return prefill === null ? endpoint : `${prefill} then ${endpoint}`;
}

function renderWhy({ profile, to, from }: ProfileChange): string {
  if (to === null) return `  ${profile}: nobody is left`;
  if (from === null) return `  ${profile}: ${standing(to)}; the profile did not pick before`;
  const lot = to.total !== null && to.total === from.total ? "; equal, so drawn by lot" : "";
  return `  ${profile}: ${standing(to)} against ${standing(from)}${lot}`;
}

function standing({ endpoint, total, scores, rejectedBy, reason }: Standing): string {
  if (rejectedBy !== null) return `${endpoint} taken out by ${rejectedBy}: ${reason}`;
  if (total === null || scores.length === 0) return endpoint;
  const parts = scores.map(({ scorer, weighted }) => `${scorer} ${weighted.toFixed(3)}`);
  return `${endpoint} ${total.toFixed(3)} (${parts.join(", ")})`;
}

function figure(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}

import { ConfigError } from "../../core/config-error.ts";
import { invariant } from "../../core/invariant.ts";
import type { Registry } from "../../plugin/registry.ts";
import { type OtherConfig, PoolRun } from "./pool-replay.ts";
import { type OpenRecording, openRecording, type RecordingSource } from "./read-recording.ts";
import type { ReplayReport } from "./replay-report.ts";

/** What a replay is asked for. */
export interface ReplayQuestion {
  readonly registry: Registry;
  /** Asked for once the pools are known: another configuration by pool; the others keep theirs. */
  readonly others: (pools: readonly string[]) => ReadonlyMap<string, OtherConfig>;
}

/** Mismatches that are shown; all are counted. */
const MISMATCHES_MAX = 20;

/**
 * Feeds a recording's inputs into fresh cores and says what they decide. Throws ConfigError for a broken
 * file, and for a configuration that the recorded pools do not suit.
 */
export async function replay(
  source: RecordingSource,
  { registry, others }: ReplayQuestion,
): Promise<ReplayReport> {
  const recording = await openRecording(source);
  const { header } = recording;
  const given = others(header.pools.map(({ pool }) => pool));
  const runs = new Map(
    header.pools.map((pool) => {
      const other = given.get(pool.pool);
      return [pool.pool, new PoolRun(header, pool, { registry, other })];
    }),
  );
  const { incomplete, mismatches, mismatchCount } = await feed(recording, runs);
  return {
    recording: source.file,
    startedAt: header.startedAt,
    isReproduced: mismatchCount === 0,
    mismatches,
    mismatchCount,
    incomplete,
    pools: [...runs.values()].map((run) => run.report()),
  };
}

async function feed(
  { lines }: OpenRecording,
  runs: ReadonlyMap<string, PoolRun>,
): Promise<Pick<ReplayReport, "incomplete" | "mismatches" | "mismatchCount">> {
  const mismatches: { readonly line: number; readonly message: string }[] = [];
  let mismatchCount = 0;
  let incomplete: string | null =
    "the recording has no last line: the router did not end by itself";
  for await (const { line, read } of lines) {
    if (read.kind === "closed") {
      incomplete = read.lost === 0 ? null : `${read.lost} lines were lost`;
      break;
    }
    if (read.kind === "lost") {
      // Without them neither state nor numbering of what follows is that of the recorded run.
      incomplete = `${read.count} lines were lost at line ${line}; the replay ends there`;
      break;
    }
    const run = runs.get(read.pool);
    invariant(run !== undefined, "the reader lets no unknown pool through");
    const message = run.apply(read, line);
    if (message === undefined) continue;
    mismatchCount++;
    if (mismatches.length < MISMATCHES_MAX) mismatches.push({ line, message });
  }
  return { incomplete, mismatches, mismatchCount };
}

/** The pool that a service became; throws ConfigError when the recording has none such. */
export function poolOfService(
  pools: readonly string[],
  service: { readonly namespace: string; readonly name: string },
  file: string,
): string {
  const { namespace, name } = service;
  // Services that share a name are told apart by their namespace.
  const found = pools.find((pool) => pool === name || pool === `${namespace}.${name}`);
  if (found !== undefined) return found;
  const message = `${file}: service ${name} is no pool of the recording`;
  throw new ConfigError([{ path: "", message, allowed: pools }]);
}

import { barePath } from "../core/bare-path.ts";
import type { ExchangeReport, PdOutcome } from "../core/exchange-report.ts";

/** Writes one JSON line for each finished request. */
export interface AccessLog {
  /** The line leaves at the end of this turn of the event loop, together with others of it. */
  write(report: ExchangeReport): void;
  /** Hands over what waits for the turn's end. */
  flush(): void;
}

const PATH_CHARACTERS_MAX = 200;

/** What waits is handed over above it, whatever else happens in the turn. */
const WAITING_CHARACTERS_MAX = 64 * 1024;

/**
 * Lines hold sizes, times and names of the configuration, never prompt text or unchecked client
 * text. Those of a turn are one write: a write to a file or pipe for each took 2 % of a small
 * request's CPU time.
 */
export function createAccessLog(stream: { write(text: string): void }): AccessLog {
  let waiting = "";
  const flush = (): void => {
    if (waiting === "") return;
    const lines = waiting;
    waiting = "";
    stream.write(lines);
  };
  return {
    write(report) {
      if (waiting === "") setImmediate(flush);
      waiting += `${JSON.stringify(lineOf(report))}\n`;
      if (waiting.length > WAITING_CHARACTERS_MAX) flush();
    },
    flush,
  };
}

function lineOf(report: ExchangeReport): object {
  const { outcome, how, rejection } = report;
  const { usage } = outcome;
  return {
    event: "request",
    time: new Date().toISOString(),
    requestId: report.requestId,
    pool: report.pool,
    model: report.model,
    path: checkedPath(report.path),
    status: outcome.status,
    how,
    rejection,
    endpoint: report.endpoint,
    prefillEndpoint: report.prefillEndpoint,
    decision: report.decisionId,
    isStreaming: report.isStreaming,
    requestBytes: report.requestBytes,
    promptBytes: report.promptBytes,
    responseBytes: outcome.responseBytes,
    promptTokens: usage.promptTokens,
    completionTokens: usage.completionTokens,
    cachedTokens: usage.cachedTokens,
    ttftMs: rounded(outcome.ttftMs),
    itlMs: rounded(outcome.itlMs),
    e2eMs: rounded(outcome.e2eMs),
    wallMs: rounded(outcome.wallMs),
    retries: outcome.retryCount,
    pd: outcome.pd === undefined ? undefined : pdOf(outcome.pd),
  };
}

/** A path of plain characters without its query; null for any other, which no engine would know. */
function checkedPath(path: string): string | null {
  const bare = barePath(path);
  return bare.length <= PATH_CHARACTERS_MAX && /^[\w/.~-]*$/.test(bare) ? bare : null;
}

function pdOf(pd: PdOutcome): object {
  // The reason comes from a sidecar's header.
  const isToken = pd.reason !== null && /^[\w.-]{1,64}$/.test(pd.reason);
  return {
    ...pd,
    reason: isToken ? pd.reason : null,
    prefillMs: rounded(pd.prefillMs),
    kvMs: rounded(pd.kvMs),
  };
}

/** Microseconds are as fine as any of the times is. */
function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms * 1000) / 1000;
}

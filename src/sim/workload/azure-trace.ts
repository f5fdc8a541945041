import { segmentId } from "./request-source.ts";
import { inTimeOrder, type TraceSource, traceFault } from "./trace-line.ts";
import type { Arrival, Workload } from "./workload.ts";

const HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens";
const SHAPE = "YYYY-MM-DD HH:MM:SS.fffffff,<prompt tokens>,<output tokens>";
const ROW = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(\.\d{1,9})?,(\d{1,9}),(\d{1,9})$/;
const DOCUMENT = 32;

/** Azure's 2023 trace as a workload, read line by line; its prompts have nothing in common. */
export function azureTrace(source: TraceSource): Workload {
  const stage = { name: "trace", arrivals: inTimeOrder(arrivals(source), source) };
  return { name: source.file, stages: () => [stage] };
}

async function* arrivals(source: TraceSource): AsyncGenerator<Arrival & { readonly line: number }> {
  let line = 0;
  let startUs: number | undefined;
  for await (const text of source.lines) {
    line++;
    const row = text.trim();
    if (line === 1) {
      if (row === HEADER) continue;
      throw traceFault(source.file, line, `expected the heading ${HEADER}`);
    }
    if (row === "") continue;
    const match = ROW.exec(row);
    if (match === null) throw traceFault(source.file, line, `expected ${SHAPE}`);
    const atUs = microsecondsOf(match);
    startUs ??= atUs;
    const tokenCount = Number(match[8]);
    const outputTokens = Number(match[9]);
    if (tokenCount < 1 || outputTokens < 1) {
      throw traceFault(source.file, line, "a request has at least one token in and one out");
    }
    const segments = [{ id: segmentId(DOCUMENT, line), tokenCount }];
    yield { atUs: atUs - startUs, request: { segments, outputTokens }, line };
  }
}

function microsecondsOf(match: RegExpExecArray): number {
  const [, year, month, day, hour, minute, second, fraction = "0"] = match;
  const [y, mo, d, h, mi, s] = [year, month, day, hour, minute, second].map(Number);
  const wholeMs = Date.UTC(y ?? 0, (mo ?? 1) - 1, d, h, mi, s);
  return wholeMs * 1000 + Math.round(Number(fraction) * 1e6);
}

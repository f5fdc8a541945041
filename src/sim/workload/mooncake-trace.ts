import type { PromptSegment } from "../id-prompt.ts";
import { inTimeOrder, type TraceSource, traceFault } from "./trace-line.ts";
import type { Arrival, Workload } from "./workload.ts";

/** Tokens of one hash id (Mooncake, FAST'25). */
export const MOONCAKE_BLOCK_TOKENS = 512;

const SHAPE =
  '{"timestamp": <ms>, "input_length": <tokens>, "output_length": <tokens>, "hash_ids": [<id>, …]}';

/** One line of the trace. */
export interface MooncakeLine {
  readonly timestampMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** One id for each block of 512 tokens, the last one partial; an id stands for its whole prefix. */
  readonly hashIds: readonly number[];
}

/** Mooncake's trace as a workload, read line by line. */
export function mooncakeTrace(source: TraceSource): Workload {
  const stage = { name: "trace", arrivals: inTimeOrder(arrivals(source), source) };
  return { name: source.file, stages: () => [stage] };
}

/** Reads the lines; throws ConfigError that names the first broken one. */
export async function* mooncakeLines(
  source: Omit<TraceSource, "isSorted">,
): AsyncGenerator<MooncakeLine & { readonly line: number }> {
  let line = 0;
  for await (const text of source.lines) {
    line++;
    if (text.trim() === "") continue;
    const read = readLine(text);
    if (typeof read === "string") {
      throw traceFault(source.file, line, `${read}; expected ${SHAPE}`);
    }
    yield { ...read, line };
  }
}

async function* arrivals(source: TraceSource): AsyncGenerator<Arrival & { readonly line: number }> {
  for await (const { line, timestampMs, inputTokens, outputTokens, hashIds } of mooncakeLines(
    source,
  )) {
    const segments: PromptSegment[] = hashIds.map((id, block) => ({
      id,
      tokenCount: Math.min(MOONCAKE_BLOCK_TOKENS, inputTokens - block * MOONCAKE_BLOCK_TOKENS),
    }));
    yield { atUs: timestampMs * 1000, request: { segments, outputTokens }, line };
  }
}

function readLine(text: string): MooncakeLine | string {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return "the line is not JSON";
  }
  if (typeof raw !== "object" || raw === null) return "the line is not a JSON object";
  const fields = raw as Readonly<Record<string, unknown>>;
  const { timestamp, input_length: input, output_length: output, hash_ids: hashIds } = fields;
  if (!isCount(timestamp, 0)) return "timestamp is not a whole number of milliseconds";
  if (!isCount(input, 1)) return "input_length is not a whole number above 0";
  if (!isCount(output, 1)) return "output_length is not a whole number above 0";
  if (!Array.isArray(hashIds) || !hashIds.every((id) => isCount(id, 0))) {
    return "hash_ids is not a list of whole numbers";
  }
  const needed = Math.ceil(input / MOONCAKE_BLOCK_TOKENS);
  if (hashIds.length !== needed) {
    return `${input} tokens have ${needed} blocks of 512, and hash_ids has ${hashIds.length}`;
  }
  return { timestampMs: timestamp, inputTokens: input, outputTokens: output, hashIds };
}

function isCount(value: unknown, least: number): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= least;
}

import { ConfigError } from "../../core/config-error.ts";
import { BYTES_PER_TOKEN } from "../../core/tokenizer.ts";
import { RECORDED_BLOCK_BYTES, type RecordedRequest } from "../../director/recorded-line.ts";
import type { PromptSegment } from "../id-prompt.ts";
import { segmentId } from "../workload/request-source.ts";
import { inTimeOrder, type TraceSource } from "../workload/trace-line.ts";
import type { Arrival, Workload } from "../workload/workload.ts";
import { openRecording } from "./read-recording.ts";
import { decodeHashes } from "./recorded-request.ts";
import type { InputOf } from "./replay-side.ts";

type PlacedArrival = Arrival & { readonly line: number };

/** An arrival whose length of answer is known once its end was read. */
interface Waiting {
  readonly line: number;
  readonly input: InputOf<"arrive">;
  outputTokens: number | undefined;
}

const BLOCK_TOKENS = RECORDED_BLOCK_BYTES / BYTES_PER_TOKEN;
/** Kind of text in `segmentId`: what of a prompt has no block hash is nobody else's. */
const REMAINDER = 33;
/** Tokens of an answer of which nothing is known: nobody limited it and it never came. */
const UNKNOWN_OUTPUT_TOKENS = 1;

/**
 * A pool's part of a recording as a workload: when requests arrived, their prompts' sizes and blocks, and
 * how long the answers were. The pool is the only one, or that of the service's name.
 */
export function recordingTrace(source: TraceSource, service: string): Workload {
  const stage = { name: "trace", arrivals: inTimeOrder(arrivals(source, service), source) };
  return { name: source.file, stages: () => [stage] };
}

async function* arrivals(source: TraceSource, service: string): AsyncGenerator<PlacedArrival> {
  const { header, lines } = await openRecording(source);
  const pools = header.pools.map(({ pool }) => pool);
  const pool = pools.length === 1 ? pools[0] : service;
  if (pool === undefined || !pools.includes(pool)) {
    const message = `${source.file} has several pools, and none is named ${service}`;
    throw new ConfigError([{ path: "", message, allowed: pools }]);
  }
  // Arrivals leave in their order, each when its end was read: what waits is what was under way.
  const queue: Waiting[] = [];
  const byDecision = new Map<number, Waiting>();
  let startMs: number | undefined;
  for await (const { line, read } of lines) {
    if (!("pool" in read) || read.pool !== pool) continue;
    if (read.kind === "arrive") {
      startMs ??= read.atMs;
      const { decision, request } = read;
      const isServed = decision.number !== null && decision.endpoint !== null;
      const waiting: Waiting = {
        line,
        input: read,
        outputTokens: isServed ? undefined : (request.maxOutputTokens ?? UNKNOWN_OUTPUT_TOKENS),
      };
      queue.push(waiting);
      if (isServed) byDecision.set(decision.number, waiting);
    } else if (read.kind === "end") {
      const waiting = byDecision.get(read.decision);
      byDecision.delete(read.decision);
      if (waiting !== undefined) waiting.outputTokens = outputTokens(waiting, read);
    }
    const endedCount = queue.findIndex((waiting) => waiting.outputTokens === undefined);
    const ended = queue.splice(0, endedCount === -1 ? queue.length : endedCount);
    for (const waiting of ended) yield arrivalOf(waiting, startMs ?? 0);
  }
  for (const waiting of queue) yield arrivalOf(waiting, startMs ?? 0);
}

/** What the engine counted, else the chunks of its stream, else what was allowed. */
function outputTokens({ input }: Waiting, { outcome }: InputOf<"end">): number {
  const { usage, chunkCount } = outcome;
  const limit = input.request.maxOutputTokens ?? UNKNOWN_OUTPUT_TOKENS;
  return Math.max(1, usage.completionTokens ?? (chunkCount > 0 ? chunkCount : limit));
}

function arrivalOf({ line, input, outputTokens: known }: Waiting, startMs: number): PlacedArrival {
  const { request, atMs } = input;
  return {
    atUs: Math.round((atMs - startMs) * 1000),
    request: {
      segments: segmentsOf(request, line),
      outputTokens: known ?? request.maxOutputTokens ?? UNKNOWN_OUTPUT_TOKENS,
    },
    line,
  };
}

/** A block's hash stands for the whole prefix, so as an id it is equal exactly where prefixes are. */
function segmentsOf(request: RecordedRequest, line: number): readonly PromptSegment[] {
  const chain = request.chains.find(({ blockBytes }) => blockBytes === RECORDED_BLOCK_BYTES);
  const hashes = chain === undefined ? new Uint32Array(0) : decodeHashes(chain.hashes);
  const segments: PromptSegment[] = [];
  for (let word = 0; word + 1 < hashes.length; word += 2) {
    const lo = hashes[word] as number;
    const hi = hashes[word + 1] as number;
    segments.push({ id: lo + (hi & 0x1fffff) * 4294967296, tokenCount: BLOCK_TOKENS });
  }
  const tokenCount = Math.max(1, Math.ceil(request.promptBytes / BYTES_PER_TOKEN));
  const rest = tokenCount - segments.length * BLOCK_TOKENS;
  if (rest > 0) segments.push({ id: segmentId(REMAINDER, line), tokenCount: rest });
  return segments;
}

import { END_CAUSES, REJECTION_REASONS } from "../../core/rejection.ts";
import type { RecordedLine } from "../../director/recorded-line.ts";
import {
  anything,
  byKind,
  count,
  flag,
  hashPairs,
  listOf,
  mapOf,
  number,
  objectOf,
  oneOf,
  optional,
  orNull,
  type Shape,
  text,
} from "./line-shape.ts";

const config = objectOf({
  plugins: listOf(objectOf({ name: text, type: text, parameters: anything })),
  profiles: listOf(
    objectOf({ name: text, plugins: listOf(objectOf({ pluginRef: text, weight: number })) }),
  ),
  objectives: listOf(objectOf({ name: text, priority: number })),
  rewrites: listOf(
    objectOf({
      name: text,
      rules: listOf(
        objectOf({
          matches: listOf(text),
          targets: listOf(objectOf({ model: text, weight: optional(number) })),
        }),
      ),
    }),
  ),
  notes: listOf(text),
});

const header = objectOf({
  startedAt: text,
  seed: count,
  isCorrectingMetrics: flag,
  prefillCandidates: count,
  retryLimit: count,
  inFlightMax: count,
  exchangeTimeoutMs: number,
  pools: listOf(objectOf({ pool: text, model: text, config })),
});

const chains = listOf(objectOf({ blockBytes: count, hashes: hashPairs }));

const tokens = objectOf({ count, isWhole: flag, sizeBytes: count, chains });

const request = objectOf({
  id: text,
  kind: oneOf(["chat", "completion", "other"]),
  path: text,
  model: text,
  isStreaming: flag,
  isUsageStreamed: flag,
  maxOutputTokens: orNull(count),
  bodyBytes: count,
  mediaCount: count,
  promptBytes: count,
  chains,
  tokens: orNull(tokens),
  headers: mapOf(text),
  onlyHosts: orNull(listOf(text)),
  renamed: orNull(objectOf({ model: text, chains, tokens: orNull(tokens) })),
});

const decision = objectOf({
  number: orNull(count),
  endpoint: orNull(text),
  prefill: orNull(text),
  rejection: orNull(oneOf(REJECTION_REASONS)),
  profiles: listOf(objectOf({ profile: text, picked: orNull(text), margin: orNull(number) })),
});

const outcome = objectOf({
  status: count,
  usage: objectOf({
    promptTokens: orNull(count),
    completionTokens: orNull(count),
    cachedTokens: orNull(count),
  }),
  chunkCount: count,
  ttftMs: orNull(number),
  e2eMs: number,
});

/** Engines name blocks by numbers; longer names carry a letter in front. */
const blockHash: Shape = (value, path) =>
  typeof value === "number" || (typeof value === "string" && /^(s|n-?\d+$)/.test(value))
    ? undefined
    : `${path} is not a block's name`;

const kvEvent = byKind({
  stored: objectOf({
    blockHashes: listOf(blockHash),
    parentHash: orNull(blockHash),
    blockTokens: count,
    chain: orNull(hashPairs),
    medium: optional(text),
  }),
  removed: objectOf({ blockHashes: listOf(blockHash), medium: optional(text) }),
  cleared: anything,
});

const change = byKind({
  added: objectOf({ endpoint: objectOf({ id: text, address: text, labels: mapOf(text) }) }),
  removed: objectOf({ id: text }),
});

const lora = objectOf({ adaptersMax: count, running: listOf(text), waiting: listOf(text) });

const input = (members: Readonly<Record<string, Shape>>): Shape =>
  objectOf({ pool: text, atMs: number, ...members });

const SHAPES: Readonly<Record<RecordedLine["kind"], Shape>> = {
  header,
  arrive: input({ request, decision }),
  retry: input({ decision: count, failed: text, to: orNull(text) }),
  firstByte: input({ decision: count }),
  end: input({ decision: count, how: oneOf(END_CAUSES), outcome }),
  metrics: input({
    slot: count,
    startedAtMs: number,
    values: mapOf(orNull(number)),
    lora: orNull(lora),
  }),
  kvEvents: input({ slot: count, events: listOf(kvEvent) }),
  endpoint: input({ change }),
  health: input({ slot: count, isReady: flag }),
  config: input({ config }),
  drain: input({}),
  tick: input({}),
  lost: objectOf({ count }),
  closed: objectOf({ lines: count, lost: count }),
};

/** A line of a recording after its JSON was decoded. */
export const recordedLine: Shape = byKind(SHAPES);

import { z } from "zod";
import { durationMs } from "../../core/duration.ts";
import { BYTES_PER_TOKEN } from "../../core/tokenizer.ts";
import type { BlockIndex } from "../../endpoints/block-index.ts";
import type { RequestCycle } from "../../plugin/cycle.ts";
import {
  definePlugin,
  type PluginDefinition,
  type PluginHandle,
} from "../../plugin/define-plugin.ts";
import { paramsOf } from "../../plugin/params.ts";
import type { PlanEditor } from "../../plugin/plugin-instance.ts";
import { type PrefixMatch, prefixMatch } from "../../plugin/request-attribute.ts";
import type { BlockKeys } from "../../request/block-hasher.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import { LLMD_HASH_ALGORITHMS, llmdKeys } from "../../request/llmd-keys.ts";

const tokens = z.int().positive();
const port = z.int().min(1).max(65_535);

const tokenProcessorConfig = z.strictObject({
  /** Tokens in one block of the match; engines' own block sizes are read from their events. */
  blockSizeTokens: tokens.optional(),
  /** Older word for it. */
  blockSize: tokens.optional(),
  /** Either of these makes the keys of the index those of llm-d. */
  hashSeed: z.string().optional(),
  hashAlgorithm: z.enum(LLMD_HASH_ALGORITHMS).optional(),
});

/** Where engines' events are, in llm-d's words; the program that subscribes to them reads it. */
const kvEventsConfig = z.strictObject({
  zmqEndpoint: z.string().optional(),
  topicFilter: z.string().max(1024).default(""),
  concurrency: z.int().positive().optional(),
  engineType: z.enum(["vllm", "sglang"]).optional(),
  discoverPods: z.boolean().default(true),
  podDiscoveryConfig: z
    .strictObject({
      podLabelSelector: z.string().optional(),
      podNamespace: z.string().optional(),
      // llm-d's default.
      socketPort: port.default(5557),
      replaySocketPort: port.or(z.literal(0)).default(0),
    })
    .prefault({}),
});

const members = {
  tokenProcessorConfig: tokenProcessorConfig.optional(),
  kvEventsConfig: kvEventsConfig.prefault({}),
  /** Whether a decision counts as held before the engine reports it. */
  speculativeIndexing: z.boolean().default(true),
  speculativeTTL: z
    .string()
    .default("2s")
    .refine((text) => (durationMs(text) ?? 0) > 0, { error: "must be a duration such as 2s" }),
};

/** Sizes of llm-d's store; ours is bounded by itself. */
const decodeProducer = paramsOf(
  z.strictObject({ ...members, indexerConfig: z.record(z.string(), z.unknown()).optional() }),
);
const decodeScorer = paramsOf(
  z.strictObject({
    ...members,
    indexerConfig: z
      .looseObject({ tokenProcessorConfig: tokenProcessorConfig.optional() })
      .optional(),
  }),
);

type Params = ReturnType<typeof decodeProducer> | ReturnType<typeof decodeScorer>;

/** Blocks remembered for an endpoint that reports none: llm-d's default of the approximate index. */
const APPROXIMATE_BLOCKS = 31_250;
const DEFAULT_BLOCK_TOKENS = 16;
/** A weighted sum such as ten times 0.8 falls a little short of a whole number. */
const ROUNDING = 1e-6;

/**
 * Says how much of a prompt each endpoint holds by the engines' own KV events, and by the router's account
 * of what it sent where an engine reports nothing or the prompt's tokens are not known yet. Credit is given
 * with the decision itself, so a burst of equal prompts does not scatter before the first event.
 */
export const precisePrefixCacheProducer: PluginDefinition = definePlugin({
  type: "precise-prefix-cache-producer",
  stability: "stable",
  state: "private",
  roles: ["produce", "onPlan"],
  produces: [prefixMatch],
  consumesKvEvents: true,
  params: decodeProducer,
  create: (params, handle) => new PreciseTracker(params, handle).hooks,
});

/** Keeps such an account and scores by it: matched blocks / blocks looked for. */
export const precisePrefixCacheScorer: PluginDefinition = definePlugin({
  type: "precise-prefix-cache-scorer",
  stability: "deprecated",
  state: "private",
  roles: ["produce", "onPlan", "score"],
  produces: [prefixMatch],
  consumesKvEvents: true,
  params: decodeScorer,
  create: (params, handle) => ({
    ...new PreciseTracker(params, handle).hooks,
    score(cycle, candidates, scores) {
      const match = cycle.get(prefixMatch, handle.name);
      for (let i = 0; i < candidates.count; i++) {
        const matched = match?.matchedBySlot[candidates.slots[i] as number] ?? 0;
        scores[i] = matched === 0 ? 0 : matched / (match?.blockCount ?? 1);
      }
    },
  }),
});

/** Where a plugin's parameters say that engines publish their events. */
export interface AskedKvEvents {
  /** Where engines would connect to. */
  readonly zmqEndpoint?: string | undefined;
  readonly topicFilter: string;
  readonly discoverPods: boolean;
  readonly podDiscoveryConfig: { readonly socketPort: number; readonly replaySocketPort: number };
}

/** Where a plugin of one of these types reads events; undefined for another type. */
export function askedKvEvents(type: string, parameters: unknown): AskedKvEvents | undefined {
  return paramsFor(type, parameters)?.kvEventsConfig;
}

/** Keys of llm-d where the parameters of one of these types ask for them. */
export function askedKeys(type: string, parameters: unknown): BlockKeys | undefined {
  const params = paramsFor(type, parameters);
  const config = params && processorOf(params);
  if (config?.hashSeed === undefined && config?.hashAlgorithm === undefined) return undefined;
  return llmdKeys(config.hashAlgorithm ?? "cbor-fnv", config.hashSeed ?? "");
}

function paramsFor(type: string, parameters: unknown): Params | undefined {
  if (type === precisePrefixCacheScorer.type) return decodeScorer(parameters);
  return type === precisePrefixCacheProducer.type ? decodeProducer(parameters) : undefined;
}

function processorOf(params: Params): z.infer<typeof tokenProcessorConfig> | undefined {
  const nested = params.indexerConfig?.["tokenProcessorConfig"];
  // Only the scorer's older form has it there, and its schema has checked it.
  return (
    params.tokenProcessorConfig ?? (nested as z.infer<typeof tokenProcessorConfig> | undefined)
  );
}

class PreciseTracker {
  readonly #handle: PluginHandle;
  readonly #blockBytes: number;
  /** Undefined: nothing counts before it is reported. */
  readonly #creditMs: number | undefined;
  readonly #sent: BlockIndex;
  #sentBySlot = new Int32Array(0);
  #matchedBySlot = new Int32Array(0);
  #bytesBySlot = new Float64Array(0);

  constructor(params: Params, handle: PluginHandle) {
    const processor = processorOf(params);
    const blockTokens = processor?.blockSizeTokens ?? processor?.blockSize ?? DEFAULT_BLOCK_TOKENS;
    this.#handle = handle;
    this.#blockBytes = blockTokens * BYTES_PER_TOKEN;
    this.#creditMs = params.speculativeIndexing ? durationMs(params.speculativeTTL) : undefined;
    this.#sent = handle.createBlockIndex(APPROXIMATE_BLOCKS, this.#blockBytes);
  }

  get hooks() {
    return {
      produce: (cycle: RequestCycle) => {
        cycle.set(prefixMatch, this.#match(cycle.request), this.#handle.name);
      },
      onPlan: (cycle: RequestCycle, plan: PlanEditor) => this.#planned(cycle, plan),
      onRetry: (exchange: { readonly request: InferenceRequest; readonly slot: number }) =>
        this.#credit(exchange.request, exchange.slot),
      onEndpoint: (slot: number) => this.#sent.purge(slot),
      dumpState: () => ({ sizeBytes: this.#sent.sizeBytes }),
    };
  }

  #match(request: InferenceRequest): PrefixMatch {
    const { endpoints, kvBlocks } = this.#handle;
    this.#fit(endpoints.slotCount);
    const blockBytes = this.#blockBytes;
    const { tokens: known, prompt } = request;
    const blockCount = Math.floor((known ?? prompt).sizeBytes / blockBytes);
    // Without tokens nothing that an engine said can be compared with the prompt.
    const isComparable = known === undefined || known.count > 0;
    const chain = this.#chain(request);
    this.#sent.match(chain.hashes, chain.blockCount, this.#sentBySlot);
    kvBlocks.matchedBytes(request, this.#bytesBySlot);
    let isReported = false;
    for (let slot = 0; slot < endpoints.slotCount; slot++) {
      const isTold = isComparable && kvBlocks.isReporting(slot);
      isReported ||= isTold;
      const sent = isTold ? 0 : (this.#sentBySlot[slot] as number);
      const bytes = this.#bytesBySlot[slot] as number;
      const told = Number.isNaN(bytes) ? 0 : Math.floor(bytes / blockBytes + ROUNDING);
      this.#matchedBySlot[slot] = Math.min(blockCount, Math.max(sent, told));
    }
    return {
      blockCount,
      blockBytes,
      matchedBySlot: this.#matchedBySlot,
      source: isReported ? "events" : "approximate",
    };
  }

  #planned(cycle: RequestCycle, plan: PlanEditor): void {
    const { meter, name } = this.#handle;
    const match = cycle.get(prefixMatch, name);
    const [primary] = plan.primary;
    if (primary !== undefined && match !== undefined && match.blockCount > 0) {
      const matched = match.matchedBySlot[primary] ?? 0;
      const labels = { plugin_name: name, plugin_type: precisePrefixCacheProducer.type };
      meter.observe("prefix-hit-ratio", labels, matched / match.blockCount);
      meter.observe("prefix-hit-bytes", labels, matched * match.blockBytes);
    }
    for (const slot of [primary, plan.prefill[0]]) {
      if (slot !== undefined) this.#credit(cycle.request, slot);
    }
  }

  #credit(request: InferenceRequest, slot: number): void {
    const chain = this.#chain(request);
    this.#sent.record(chain.hashes, chain.blockCount, slot);
    if (this.#creditMs !== undefined) {
      this.#handle.kvBlocks.credit(request, slot, this.#creditMs);
    }
  }

  /** By the prompt's bytes, which are known of every request. */
  #chain({ prompt }: InferenceRequest): ReturnType<InferenceRequest["prompt"]["blocks"]> {
    return prompt.blocks(this.#blockBytes, Math.floor(prompt.sizeBytes / this.#blockBytes));
  }

  #fit(slotCount: number): void {
    if (this.#matchedBySlot.length === slotCount) return;
    this.#sentBySlot = new Int32Array(slotCount);
    this.#matchedBySlot = new Int32Array(slotCount);
    this.#bytesBySlot = new Float64Array(slotCount);
  }
}

import type { RouterConfig } from "../../config/router-config.ts";
import { endpointId } from "../../core/brand.ts";
import type { EngineBlockHash, KvEvent } from "../../core/kv-event.ts";
import { noLog } from "../../core/log.ts";
import { noMeter } from "../../core/meter.ts";
import type { Target } from "../../director/dispatch-plan.ts";
import { PoolRouterCore } from "../../director/pool-router-core.ts";
import type {
  RecordedBlockHash,
  RecordedInput,
  RecordedKvEvent,
  RecordedPool,
  RecordingHeader,
} from "../../director/recorded-line.ts";
import type { Admission } from "../../director/router-core.ts";
import type { EndpointTable, MetricSample } from "../../endpoints/endpoint-table.ts";
import { NUMERIC_ATTRIBUTES, type NumericAttribute } from "../../endpoints/numeric-attribute.ts";
import type { BlockHasher } from "../../request/block-hasher.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { ProfileDecision } from "../../scheduling/decision.ts";
import { decodeHashes } from "./recorded-request.ts";
import type { Placement } from "./replay-report.ts";

/** What a side made of an arrival. */
export interface ReplayedDecision extends Placement {
  readonly profiles: readonly ProfileDecision[];
}

/** An input of the kind that is named. */
export type InputOf<Kind extends RecordedInput["kind"]> = Extract<RecordedInput, { kind: Kind }>;

/** Decisions are read as they are made, so few are kept. */
const DECISION_CAPACITY = 16;

/** One pool under one configuration, fed with recorded inputs. */
export class ReplaySide {
  readonly #core: PoolRouterCore;
  readonly #hasher = new ReplayedHasher();
  /** Requests under way by their number in the recording: this side may count differently. */
  readonly #live = new Map<number, { readonly number: number; target: Target }>();

  constructor(header: RecordingHeader, pool: RecordedPool, config: RouterConfig) {
    this.#core = new PoolRouterCore({
      pool: pool.pool,
      blueprint: config,
      model: pool.model,
      hasher: this.#hasher,
      meter: noMeter,
      log: noLog,
      stopwatch: undefined,
      seed: header.seed,
      legs: "sidecar",
      prefillCandidates: header.prefillCandidates,
      isCorrectingMetrics: header.isCorrectingMetrics,
      retryLimit: header.retryLimit,
      inFlightMax: header.inFlightMax,
      exchangeTimeoutMs: header.exchangeTimeoutMs,
      decisionCapacity: DECISION_CAPACITY,
      decisionBytesMax: 2 ** 24,
    });
  }

  get endpoints(): EndpointTable {
    return this.#core.endpoints;
  }

  slotOf(endpoint: string): number | undefined {
    return this.#core.slotOf(endpointId(endpoint));
  }

  arrive({ decision, atMs }: InputOf<"arrive">, request: InferenceRequest): ReplayedDecision {
    const admission = this.#core.arrive(request, atMs);
    if (admission.kind === "decided") {
      const [target] = admission.plan.primary;
      if (target !== undefined && decision.number !== null && decision.rejection === null) {
        this.#live.set(decision.number, { number: admission.decision, target });
      } else {
        // The recording has no end for a request that was refused in it, so it ends here at once.
        this.#core.end(admission.decision, "completed", UNKNOWN_OUTCOME, atMs);
      }
    }
    return this.#read(admission);
  }

  /** Where the request goes next; undefined where it is not on the endpoint that failed. */
  retry({ decision, failed, atMs }: InputOf<"retry">): string | null | undefined {
    const live = this.#live.get(decision);
    if (live === undefined || live.target.id !== failed) return undefined;
    const next = this.#core.retry(live.number, live.target, atMs);
    if (next !== undefined) live.target = next;
    return next?.id ?? null;
  }

  /** Any further input. */
  apply(input: Exclude<RecordedInput, InputOf<"arrive" | "retry" | "config">>): void {
    const core = this.#core;
    switch (input.kind) {
      case "firstByte": {
        const live = this.#live.get(input.decision);
        if (live !== undefined) core.firstByte(live.number, input.atMs);
        break;
      }
      case "end": {
        const live = this.#live.get(input.decision);
        if (live !== undefined) core.end(live.number, input.how, input.outcome, input.atMs);
        this.#live.delete(input.decision);
        break;
      }
      case "metrics":
        core.metrics(input.slot, metricSample(input), input.atMs);
        break;
      case "kvEvents":
        this.#kvEvents(input);
        break;
      case "endpoint":
        core.endpoint(input.change, input.atMs);
        break;
      case "health":
        core.health(input.slot, input.isReady, input.atMs);
        break;
      case "drain":
        core.drain();
        break;
      case "tick":
        core.tick(input.atMs);
        break;
    }
  }

  /** The configuration was changed while the recording ran. */
  reconfigure(config: RouterConfig): void {
    this.#core.reconfigure(config);
  }

  #kvEvents({ slot, events, atMs }: InputOf<"kvEvents">): void {
    for (const event of events) {
      const chain = event.kind === "stored" ? event.chain : null;
      this.#hasher.next = chain === null ? undefined : decodeHashes(chain);
      this.#core.kvEvents(slot, [kvEvent(event)], atMs);
    }
  }

  #read(admission: Admission): ReplayedDecision {
    const { decision } = admission;
    const record = decision === undefined ? undefined : this.#core.decisions.read(decision);
    const plan = admission.kind === "decided" ? admission.plan : undefined;
    return {
      endpoint: plan?.primary[0]?.id ?? null,
      prefill: plan?.prefill[0]?.id ?? null,
      rejection: admission.kind === "rejected" ? admission.rejection.reason : null,
      profiles: record?.profiles ?? [],
    };
  }
}

/** Gives the index of KV events what the live router's hasher gave it: the tokens were not recorded. */
class ReplayedHasher implements BlockHasher {
  next: Uint32Array | undefined;

  hash(...[, , , , , out]: Parameters<BlockHasher["hash"]>): number {
    const { next } = this;
    if (next === undefined) return 0;
    const words = next.subarray(0, out.length);
    out.set(words);
    return words.length >>> 1;
  }
}

const UNKNOWN_OUTCOME = {
  status: 0,
  usage: { promptTokens: null, completionTokens: null, cachedTokens: null },
  chunkCount: 0,
  ttftMs: null,
  itlMs: null,
  e2eMs: 0,
  wallMs: 0,
  retryCount: 0,
  responseBytes: 0,
  pd: undefined,
} as const;

const ATTRIBUTES: ReadonlyMap<string, NumericAttribute> = new Map(
  NUMERIC_ATTRIBUTES.map((attribute) => [attribute.name, attribute]),
);

function metricSample({ startedAtMs, values, lora }: InputOf<"metrics">): MetricSample {
  const known = Object.entries(values).flatMap(([name, value]) => {
    const attribute = ATTRIBUTES.get(name);
    return attribute === undefined ? [] : [[attribute, value ?? Number.NaN] as const];
  });
  return {
    startedAtMs,
    values: new Map(known),
    lora:
      lora === null
        ? undefined
        : { ...lora, running: new Set(lora.running), waiting: new Set(lora.waiting) },
  };
}

function kvEvent(event: RecordedKvEvent): KvEvent {
  const medium = "medium" in event && event.medium !== undefined ? { medium: event.medium } : {};
  switch (event.kind) {
    case "stored":
      return {
        kind: "stored",
        blockHashes: event.blockHashes.map(blockHash),
        parentHash: event.parentHash === null ? undefined : blockHash(event.parentHash),
        // The hasher is given the chain; that there were tokens is all that counts.
        tokenIds: new Uint32Array(event.chain === "" ? 0 : event.blockTokens),
        blockTokens: event.blockTokens,
        ...medium,
      };
    case "removed":
      return { kind: "removed", blockHashes: event.blockHashes.map(blockHash), ...medium };
    case "cleared":
      return { kind: "cleared" };
  }
}

function blockHash(recorded: RecordedBlockHash): EngineBlockHash {
  if (typeof recorded === "number") return recorded;
  return recorded.startsWith("n") ? BigInt(recorded.slice(1)) : recorded.slice(1);
}

import type { RouterConfig } from "../config/router-config.ts";
import type { EndpointId } from "../core/brand.ts";
import type { Outcome } from "../core/exchange-report.ts";
import type { Json } from "../core/json.ts";
import type { EngineBlockHash, KvEvent } from "../core/kv-event.ts";
import type { EndCause } from "../core/rejection.ts";
import { BYTES_PER_TOKEN } from "../core/tokenizer.ts";
import type { Target } from "../director/dispatch-plan.ts";
import type { PoolRouterCore } from "../director/pool-router-core.ts";
import type {
  RecordedBlockHash,
  RecordedConfig,
  RecordedDecision,
  RecordedInput,
  RecordedKvEvent,
} from "../director/recorded-line.ts";
import type { Admission, DecisionNumber, RouterCore } from "../director/router-core.ts";
import type { EndpointChange, EndpointTable, MetricSample } from "../endpoints/endpoint-table.ts";
import type { BlockHasher } from "../request/block-hasher.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import { encodeHashes, NotedRequest } from "./noted-request.ts";

/** Takes lines; never throws and never waits. */
export interface RecordingSink {
  write(line: RecordedInput): void;
}

/** A pool's core that writes down every call that can change a decision, then makes it. */
export class RecordingCore implements RouterCore {
  readonly #core: PoolRouterCore;
  readonly #pool: string;
  readonly #sink: RecordingSink;
  readonly #hasher: NotingHasher;
  /** Block sizes of the engines' KV events: a configuration that matches them needs such chains. */
  readonly #reportedBlockBytes = new Set<number>();
  #lastMs = 0;

  /** `hasher` is the one that the core was made with. */
  constructor(
    core: PoolRouterCore,
    options: {
      readonly pool: string;
      readonly sink: RecordingSink;
      readonly hasher: NotingHasher;
    },
  ) {
    this.#core = core;
    this.#pool = options.pool;
    this.#sink = options.sink;
    this.#hasher = options.hasher;
  }

  get endpoints(): EndpointTable {
    return this.#core.endpoints;
  }

  get inFlightCount(): number {
    return this.#core.inFlightCount;
  }

  arrive(asked: InferenceRequest, nowMs: number): Admission {
    const noted = new NotedRequest(asked);
    const admission = this.#core.arrive(noted.request, nowMs);
    const request = noted.toRecorded(this.#reportedBlockBytes);
    const decision = this.#recordedDecision(admission);
    this.#write({ kind: "arrive", ...this.#at(nowMs), request, decision });
    return admission;
  }

  retry(decision: DecisionNumber, failed: Target, nowMs: number): Target | undefined {
    const next = this.#core.retry(decision, failed, nowMs);
    const to = next?.id ?? null;
    this.#write({ kind: "retry", ...this.#at(nowMs), decision, failed: failed.id, to });
    return next;
  }

  responseHeaders(decision: DecisionNumber): ReadonlyMap<string, string> {
    return this.#core.responseHeaders(decision);
  }

  firstByte(decision: DecisionNumber, nowMs: number): void {
    this.#core.firstByte(decision, nowMs);
    this.#write({ kind: "firstByte", ...this.#at(nowMs), decision });
  }

  end(decision: DecisionNumber, how: EndCause, outcome: Outcome, nowMs: number): void {
    this.#core.end(decision, how, outcome, nowMs);
    this.#write({ kind: "end", ...this.#at(nowMs), decision, how, outcome });
  }

  metrics(slot: number, sample: MetricSample, nowMs: number): void {
    this.#core.metrics(slot, sample, nowMs);
    const { startedAtMs, lora } = sample;
    this.#write({
      kind: "metrics",
      ...this.#at(nowMs),
      slot,
      startedAtMs,
      values: Object.fromEntries([...sample.values].map(([{ name }, value]) => [name, value])),
      lora:
        lora === undefined
          ? null
          : { ...lora, running: [...lora.running], waiting: [...lora.waiting] },
    });
  }

  kvEvents(slot: number, events: readonly KvEvent[], nowMs: number): void {
    const recorded = events.map((event): RecordedKvEvent => {
      const chain = this.#hasher.noting(() => this.#core.kvEvents(slot, [event], nowMs));
      if (event.kind === "stored")
        this.#reportedBlockBytes.add(event.blockTokens * BYTES_PER_TOKEN);
      return recordedEvent(event, chain);
    });
    this.#write({ kind: "kvEvents", ...this.#at(nowMs), slot, events: recorded });
  }

  endpoint(change: EndpointChange, nowMs: number): void {
    this.#core.endpoint(change, nowMs);
    this.#write({ kind: "endpoint", ...this.#at(nowMs), change });
  }

  health(slot: number, isReady: boolean, nowMs: number): void {
    // A probe that finds what is known changes nothing, and there is one a second for each endpoint.
    const isChange = this.endpoints.isReady(slot) !== isReady;
    this.#core.health(slot, isReady, nowMs);
    if (isChange) this.#write({ kind: "health", ...this.#at(nowMs), slot, isReady });
  }

  slotOf(id: EndpointId): number | undefined {
    return this.#core.slotOf(id);
  }

  drain(): void {
    this.#core.drain();
    this.#write({ kind: "drain", ...this.#at(this.#lastMs) });
  }

  nextDeadlineMs(): number {
    return this.#core.nextDeadlineMs();
  }

  tick(nowMs: number): void {
    const isDue = this.nextDeadlineMs() <= nowMs;
    this.#core.tick(nowMs);
    if (isDue) this.#write({ kind: "tick", ...this.#at(nowMs) });
  }

  /** Puts another configuration into effect, as the core does. */
  reconfigure(config: RouterConfig): void {
    this.#core.reconfigure(config);
    this.#write({ kind: "config", ...this.#at(this.#lastMs), config: recordedConfig(config) });
  }

  /** Calls without a time are recorded with that of the call before. */
  #at(nowMs: number): { readonly pool: string; readonly atMs: number } {
    this.#lastMs = nowMs;
    return { pool: this.#pool, atMs: nowMs };
  }

  #write(line: RecordedInput): void {
    this.#sink.write(line);
  }

  #recordedDecision(admission: Admission): RecordedDecision {
    const number = admission.decision ?? null;
    const decision = number === null ? undefined : this.#core.decisions.read(number);
    const plan = admission.kind === "decided" ? admission.plan : undefined;
    return {
      number,
      endpoint: plan?.primary[0]?.id ?? null,
      prefill: plan?.prefill[0]?.id ?? null,
      rejection: admission.kind === "rejected" ? admission.rejection.reason : null,
      profiles: (decision?.profiles ?? []).map(({ profile, picked, margin }) => ({
        profile,
        picked,
        margin,
      })),
    };
  }
}

/** A hasher that shows what it made of an event's tokens, which are not recorded. */
export class NotingHasher implements BlockHasher {
  readonly #hasher: BlockHasher;
  #noted: Uint32Array | undefined;

  constructor(hasher: BlockHasher) {
    this.#hasher = hasher;
  }

  hash(...input: Parameters<BlockHasher["hash"]>): number {
    const count = this.#hasher.hash(...input);
    this.#noted = input[5].slice(0, 2 * count);
    return count;
  }

  /** What was hashed during the call; undefined when nothing was. */
  noting(call: () => void): Uint32Array | undefined {
    this.#noted = undefined;
    call();
    return this.#noted;
  }
}

/** A configuration as data. */
export function recordedConfig(config: RouterConfig): RecordedConfig {
  return {
    plugins: config.plugins.map(({ name, definition, parameters }) => ({
      name,
      type: definition.type,
      // Decoded YAML, which has no more than JSON has.
      parameters: (parameters ?? {}) as Json,
    })),
    profiles: config.profiles,
    objectives: config.objectives,
    rewrites: config.rewrites.map(({ name, rules }) => ({
      name,
      rules: rules.map(({ matches, targets }) => ({
        matches,
        targets: targets.map(({ model, weight }) =>
          weight === undefined ? { model } : { model, weight },
        ),
      })),
    })),
    notes: config.notes.map(({ message }) => message),
  };
}

function recordedEvent(event: KvEvent, chain: Uint32Array | undefined): RecordedKvEvent {
  const medium = "medium" in event && event.medium !== undefined ? { medium: event.medium } : {};
  switch (event.kind) {
    case "stored":
      return {
        kind: "stored",
        blockHashes: event.blockHashes.map(recordedHash),
        parentHash: event.parentHash === undefined ? null : recordedHash(event.parentHash),
        blockTokens: event.blockTokens,
        chain: recordedChain(event, chain),
        ...medium,
      };
    case "removed":
      return { kind: "removed", blockHashes: event.blockHashes.map(recordedHash), ...medium };
    case "cleared":
      return { kind: "cleared" };
  }
}

function recordedChain(
  { tokenIds, blockTokens }: Extract<KvEvent, { kind: "stored" }>,
  chain: Uint32Array | undefined,
): string | null {
  if (tokenIds.length < blockTokens) return "";
  return chain === undefined ? null : encodeHashes(chain);
}

function recordedHash(hash: EngineBlockHash): RecordedBlockHash {
  if (typeof hash === "number") return hash;
  return typeof hash === "bigint" ? `n${hash}` : `s${hash}`;
}

import type { EndpointId, ModelName } from "../core/brand.ts";
import type { Outcome } from "../core/exchange-report.ts";
import type { KvEvent } from "../core/kv-event.ts";
import type { EndCause } from "../core/rejection.ts";
import type { Target } from "../director/dispatch-plan.ts";
import type { PoolRouterCore } from "../director/pool-router-core.ts";
import type { Admission, DecisionNumber, RouterCore } from "../director/router-core.ts";
import type { EndpointChange, EndpointTable, MetricSample } from "../endpoints/endpoint-table.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import { KnownTokens } from "../request/known-tokens.ts";
import { BytesPrompt } from "../request/prompt.ts";
import type { PoolTokens } from "./pool-tokens.ts";

/**
 * A pool's core that arriving requests reach with what is known of their tokens. It stands before a
 * recording, so that what was known is recorded with the request and a replay decides alike.
 */
export class TokenisingCore implements RouterCore {
  readonly #inner: RouterCore;
  readonly #state: PoolRouterCore;
  readonly #tokens: () => PoolTokens;

  /** `state` is the core behind `inner`; `tokens` follows the configuration in effect. */
  constructor(inner: RouterCore, state: PoolRouterCore, tokens: () => PoolTokens) {
    this.#inner = inner;
    this.#state = state;
    this.#tokens = tokens;
  }

  get endpoints(): EndpointTable {
    return this.#inner.endpoints;
  }

  get inFlightCount(): number {
    return this.#inner.inFlightCount;
  }

  arrive(request: InferenceRequest, nowMs: number): Admission {
    return this.#inner.arrive(this.#withTokens(request), nowMs);
  }

  retry(decision: DecisionNumber, failed: Target, nowMs: number): Target | undefined {
    return this.#inner.retry(decision, failed, nowMs);
  }

  responseHeaders(decision: DecisionNumber): ReadonlyMap<string, string> {
    return this.#inner.responseHeaders(decision);
  }

  firstByte(decision: DecisionNumber, nowMs: number): void {
    this.#inner.firstByte(decision, nowMs);
  }

  end(decision: DecisionNumber, how: EndCause, outcome: Outcome, nowMs: number): void {
    this.#inner.end(decision, how, outcome, nowMs);
  }

  metrics(slot: number, sample: MetricSample, nowMs: number): void {
    this.#inner.metrics(slot, sample, nowMs);
  }

  kvEvents(slot: number, events: readonly KvEvent[], nowMs: number): void {
    this.#inner.kvEvents(slot, events, nowMs);
  }

  endpoint(change: EndpointChange, nowMs: number): void {
    this.#inner.endpoint(change, nowMs);
  }

  health(slot: number, isReady: boolean, nowMs: number): void {
    this.#inner.health(slot, isReady, nowMs);
  }

  slotOf(id: EndpointId): number | undefined {
    return this.#inner.slotOf(id);
  }

  drain(): void {
    this.#inner.drain();
  }

  nextDeadlineMs(): number {
    return this.#inner.nextDeadlineMs();
  }

  tick(nowMs: number): void {
    this.#inner.tick(nowMs);
  }

  #withTokens(request: InferenceRequest): InferenceRequest {
    const pool = this.#tokens();
    const { prompt } = request;
    if (!(prompt instanceof BytesPrompt) || prompt.sizeBytes === 0) return request;
    if (!pool.isNeeded(this.#state)) return request;
    // An adapter's blocks are its own; every other name is one of the base model's.
    const cacheOf = (model: ModelName): string =>
      this.#state.kvAdapters.has(model) ? model : pool.baseModel;
    const { tokenizer, keys } = pool;
    const { cacheSalt } = prompt;
    const known = tokenizer?.known(request);
    const tokensFor = (model: ModelName): KnownTokens | undefined => {
      const owner = cacheOf(model);
      const common = { keys, model: owner, cacheSalt, textBytes: prompt.sizeBytes };
      if (known !== undefined) {
        const { buffer, byteOffset, byteLength } = known.tokens;
        const bytes = new Uint8Array(buffer, byteOffset, byteLength);
        return new KnownTokens(bytes, { ...common, isWhole: known.isWhole });
      }
      // The chain of the prompt's bytes serves, where it begins as the engine's blocks do.
      if (keys.kind === "own" && owner === model) return undefined;
      return new KnownTokens(prompt.bytes, { ...common, isWhole: true });
    };
    return {
      ...request,
      tokens: tokensFor(request.model),
      renamed: (model) => {
        const { request: other, edits } = request.renamed(model);
        return { request: { ...other, tokens: tokensFor(model) }, edits };
      },
    };
  }
}

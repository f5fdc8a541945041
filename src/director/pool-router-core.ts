import type { EndpointId, ProfileName } from "../core/brand.ts";
import type { Outcome } from "../core/exchange-report.ts";
import type { KvEvent } from "../core/kv-event.ts";
import type { MetricLabels } from "../core/meter.ts";
import type { EndCause, Rejection } from "../core/rejection.ts";
import type { EndpointStore } from "../endpoints/endpoint-store.ts";
import type { EndpointChange, EndpointTable, MetricSample } from "../endpoints/endpoint-table.ts";
import type { LoadTracker } from "../endpoints/load-tracker.ts";
import type { ProfileOutcome } from "../plugin/cycle.ts";
import type { Exchange, HandlerResult } from "../plugin/plugin-instance.ts";
import { prefixMatch } from "../plugin/request-attribute.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import type { RequestFacts } from "../scheduling/decision.ts";
import { DecisionRing } from "../scheduling/decision-ring.ts";
import { chargedTokens, promptTokensOf } from "./charged-tokens.ts";
import type { DispatchPlan, Target } from "./dispatch-plan.ts";
import { ExchangeTable, type LiveExchange } from "./exchange-table.ts";
import { applyRules, type Incoming } from "./incoming.ts";
import { keepHosts } from "./only-hosts.ts";
import { PlanDraft } from "./plan-draft.ts";
import { PoolEndpoints } from "./pool-endpoints.ts";
import { PoolGraph } from "./pool-graph.ts";
import type { PoolBlueprint } from "./pool-plugins.ts";
import type { PoolRouterOptions } from "./pool-router-options.ts";
import type { Admission, DecisionNumber, RouterCore } from "./router-core.ts";
import { TargetTable } from "./target-table.ts";
import type { ThreadPart } from "./thread-part.ts";

/**
 * The router of one pool: the whole path of a request in `arrive`, top to bottom. What threads share is read
 * and written in the part's lock, which is nothing for a core that is alone.
 */
export class PoolRouterCore implements RouterCore {
  readonly decisions: DecisionRing;
  readonly #options: PoolRouterOptions;
  /** Endpoints, their figures and what is charged to them. */
  readonly pool: PoolEndpoints;
  readonly #part: ThreadPart;
  readonly #store: EndpointStore;
  readonly #load: LoadTracker;
  readonly #targets: TargetTable;
  readonly #exchanges = new ExchangeTable();
  #graph: PoolGraph;
  #slots = new Int32Array(16);
  #isDraining = false;

  constructor(options: PoolRouterOptions) {
    this.#options = options;
    this.pool = new PoolEndpoints(options, (slot, step) => {
      this.#graph.hooks.run("onEndpoint", (plugin) => plugin.onEndpoint?.(slot, step));
    });
    this.#part = this.pool.part;
    this.#store = this.pool.store;
    this.#load = this.pool.load;
    this.#targets = new TargetTable(this.#store);
    this.decisions = new DecisionRing({
      pool: options.pool,
      capacity: options.decisionCapacity,
      sizeBytesMax: options.decisionBytesMax,
      numbering: this.#part.numbering,
    });
    this.#graph = this.#newGraph(options.blueprint);
  }

  get endpoints(): EndpointTable {
    return this.#store;
  }

  /** LoRA adapters that the engines' KV events named. */
  get kvAdapters(): ReadonlySet<string> {
    return this.pool.kvBlocks.adapters;
  }

  /** Whether some endpoint reports its blocks. */
  get hasKvReports(): boolean {
    return this.pool.kvBlocks.hasReports;
  }

  get inFlightCount(): number {
    return this.#part.exchangeCount;
  }

  arrive(asked: InferenceRequest, nowMs: number): Admission {
    const refusal = this.#refusal();
    if (refusal !== undefined) return { kind: "rejected", rejection: refusal, decision: undefined };
    const startMs = this.#options.stopwatch?.nowMs();
    this.pool.kvBlocks.advance(nowMs);
    const { cycle, blueprint, hooks } = this.#graph;
    cycle.begin(asked, this.decisions.nextNumber, nowMs);
    try {
      const incoming = applyRules(asked, blueprint, cycle.rng);
      cycle.request = incoming.request;
      if (this.#part.isShared) {
        hooks.run("prepare", (plugin) => plugin.prepare?.(incoming.request));
      }
      return this.#part.inLock(() => this.#decide(incoming, nowMs));
    } finally {
      cycle.end();
      if (startMs !== undefined) {
        const elapsedMs = (this.#options.stopwatch?.nowMs() ?? startMs) - startMs;
        this.#options.meter.observe("decision-ms", NO_LABELS, elapsedMs);
      }
    }
  }

  retry(decision: DecisionNumber, failed: Target, nowMs: number): Target | undefined {
    const exchange = this.#exchanges.find(decision);
    if (exchange === undefined || exchange.retryCount >= this.#options.retryLimit) return undefined;
    return this.#part.inLock(() => this.#moved(exchange, failed, nowMs));
  }

  responseHeaders(decision: DecisionNumber): ReadonlyMap<string, string> {
    const exchange = this.#exchanges.find(decision);
    if (exchange?.hooks.has("onResponseHead") !== true) return NO_HEADERS;
    const headers = new Map<string, string>();
    const view = exchangeView(exchange, undefined);
    const head = { setHeader: (name: string, value: string) => headers.set(name, value) };
    exchange.hooks.run("onResponseHead", (plugin) => plugin.onResponseHead?.(view, head));
    return headers;
  }

  firstByte(decision: DecisionNumber, _nowMs: number): void {
    const exchange = this.#exchanges.find(decision);
    if (exchange === undefined || exchange.isAnswered) return;
    exchange.isAnswered = true;
    this.#part.inLock(() => {
      this.#load.answered(exchange.charge);
      // Decode speaks only once it has the blocks, so the prefill endpoint is done with the request.
      if (exchange.prefillCharge !== undefined) this.#load.release(exchange.prefillCharge);
    });
    const view = exchangeView(exchange, undefined);
    exchange.hooks.run("onFirstByte", (plugin) => plugin.onFirstByte?.(view));
  }

  end(decision: DecisionNumber, how: EndCause, outcome: Outcome, _nowMs: number): void {
    this.#end(decision, how, outcome);
  }

  metrics(slot: number, sample: MetricSample, _nowMs: number): void {
    this.pool.metrics(slot, sample);
  }

  kvEvents(slot: number, events: readonly KvEvent[], _nowMs: number): void {
    this.pool.kvEvents(slot, events);
  }

  endpoint(change: EndpointChange, _nowMs: number): void {
    this.pool.endpoint(change);
  }

  health(slot: number, isReady: boolean, _nowMs: number): void {
    this.pool.health(slot, isReady);
  }

  slotOf(id: EndpointId): number | undefined {
    return this.#store.slotOf(id);
  }

  /** What was made from the configuration in effect. */
  get graph(): PoolGraph {
    return this.#graph;
  }

  /**
   * Puts another configuration into effect. Endpoints, in-flight counts and decisions stay; plugins of
   * the same name and type keep their state; requests under way end with the plugins that chose for them.
   */
  reconfigure(blueprint: PoolBlueprint): void {
    this.#graph = this.#newGraph(blueprint, this.#graph);
    this.#part.keepIndexes(this.#graph.indexNames);
  }

  /**
   * Tells the plugins that an endpoint was given this request, without a decision: what they would have
   * recorded of it they have then. For starting from a known state.
   */
  credit(request: InferenceRequest, slot: number, nowMs: number): void {
    const { cycle, hooks } = this.#graph;
    cycle.begin(request, 0, nowMs);
    this.#part.inLock(() => {
      hooks.run("produce", (plugin) => plugin.produce?.(cycle));
      const plan = { primary: [slot], prefill: [], encode: [], setHeader: () => undefined };
      hooks.run("onPlan", (plugin) => plugin.onPlan?.(cycle, plan));
    });
    cycle.end();
  }

  drain(): void {
    this.#isDraining = true;
  }

  nextDeadlineMs(): number {
    const oldest = this.#exchanges.oldest();
    return oldest === undefined
      ? Number.POSITIVE_INFINITY
      : oldest.startedAtMs + this.#options.exchangeTimeoutMs;
  }

  tick(nowMs: number): void {
    while (this.nextDeadlineMs() <= nowMs) {
      const oldest = this.#exchanges.oldest();
      if (oldest !== undefined) this.#end(oldest.decision, "expired", undefined);
    }
  }

  #newGraph(blueprint: PoolBlueprint, previous?: PoolGraph): PoolGraph {
    const tables = {
      endpoints: this.#store,
      kvBlocks: this.pool.kvBlocks,
      blockIndex: (name: string, blocksPerSlot: number) =>
        this.#part.blockIndex(name, blocksPerSlot),
    };
    return new PoolGraph(this.#options, blueprint, tables, previous);
  }

  /** Moves the exchange to the next usable endpoint of its plan. */
  #moved(exchange: LiveExchange, failed: Target, nowMs: number): Target | undefined {
    const { primary } = exchange.plan;
    const after = primary.indexOf(exchange.target) + 1;
    const next = primary.slice(after).find((target) => this.#isUsable(target));
    if (next === undefined) return undefined;
    this.pool.kvBlocks.advance(nowMs);
    exchange.retryCount++;
    this.#load.release(exchange.charge);
    const promptTokens = promptTokensOf(exchange.request);
    // What the fallback holds of the prompt was not looked up for it, so it is charged the whole.
    const tokens = { promptTokens, loadTokens: promptTokens };
    exchange.charge = this.#load.charge(next.slot, tokens, nowMs);
    exchange.target = next;
    const record = this.decisions.record(exchange.decision);
    if (record !== undefined) {
      record.retries.push({ from: failed.id, to: next.id });
      record.endpoint = next.id;
    }
    const view = exchangeView(exchange, undefined);
    exchange.hooks.run("onRetry", (plugin) => plugin.onRetry?.(view, failed.slot));
    return next;
  }

  #refusal(): Rejection | undefined {
    if (this.#isDraining) return { reason: "draining", message: "the router is shutting down" };
    if (this.#part.exchangeCount < this.#options.inFlightMax) return undefined;
    return { reason: "overloaded", message: "too many requests are in flight" };
  }

  #decide(incoming: Incoming, nowMs: number): Admission {
    const { cycle, hooks, scheduler } = this.#graph;
    const { request, facts } = incoming;
    hooks.run("onRequest", (plugin) => plugin.onRequest?.(request, cycle));
    const count = this.#readySlots(request.onlyHosts);
    if (count === 0) return this.#rejected(facts, nowMs, NO_READY_ENDPOINT);
    hooks.run("produce", (plugin) => plugin.produce?.(cycle));
    const denied = hooks.admit(cycle);
    if (denied !== undefined) return this.#rejected(facts, nowMs, denied);
    const { runs, result } = scheduler.schedule(cycle, this.#slots, count);
    const decision = this.#written((record, number) => {
      record.begin(number, nowMs, facts);
      record.prefixSource = cycle.get(prefixMatch)?.source ?? null;
      for (const run of runs) record.addRun(run, this.#store);
    });
    if (result.kind === "rejected") return this.#refuse(decision, result.rejection);
    return this.#dispatched(incoming, decision, result, nowMs);
  }

  #rejected(facts: RequestFacts, nowMs: number, rejection: Rejection): Admission {
    const decision = this.#written((record, number) => record.begin(number, nowMs, facts));
    return this.#refuse(decision, rejection);
  }

  #written(fill: Parameters<DecisionRing["write"]>[0]): DecisionNumber {
    const decision = this.decisions.write(fill);
    this.#part.decided(this.decisions.lastPlace);
    return decision;
  }

  #refuse(decision: DecisionNumber, rejection: Rejection): Admission {
    this.#options.meter.count("decisions", { status: "failure" });
    const record = this.decisions.record(decision);
    if (record !== undefined) {
      record.rejection = rejection;
      record.state = "closed";
    }
    return { kind: "rejected", rejection, decision };
  }

  #dispatched(
    { request, edits }: Incoming,
    decision: DecisionNumber,
    result: Extract<HandlerResult, { kind: "scheduled" }>,
    nowMs: number,
  ): Admission {
    const { cycle, hooks } = this.#graph;
    const outcomeOf = (profile: ProfileName | undefined): ProfileOutcome | undefined =>
      profile === undefined ? undefined : cycle.outcome(profile);
    const draft = new PlanDraft({
      primary: outcomeOf(result.primary),
      prefill: outcomeOf(result.prefill),
      encode: outcomeOf(result.encode),
      primaryPort: result.primaryPort,
    });
    hooks.run("onPlan", (plugin) => plugin.onPlan?.(cycle, draft));
    const plan = draft.toPlan(this.#targets, this.#options.legs, edits);
    const target = plan.primary[0] as Target;
    const prefill = plan.prefill[0];
    this.#exchanges.add({
      decision,
      hooks,
      request,
      plan,
      startedAtMs: nowMs,
      target,
      charge: this.#load.charge(target.slot, chargedTokens(cycle, target.slot), nowMs),
      prefillCharge:
        prefill === undefined
          ? undefined
          : this.#load.charge(prefill.slot, chargedTokens(cycle, prefill.slot), nowMs),
      retryCount: 0,
      isAnswered: false,
    });
    this.#part.exchangesChanged(this.#exchanges.count);
    const record = this.decisions.record(decision);
    if (record !== undefined) {
      record.endpoint = target.id;
      record.prefillEndpoint = prefill?.id;
    }
    this.#options.meter.count("decisions", {
      status: "success",
      model: request.model,
      endpoint: target.id,
      stages: stagesOf(plan),
    });
    return { kind: "decided", plan, decision };
  }

  #end(decision: DecisionNumber, how: EndCause, outcome: Outcome | undefined): void {
    const exchange = this.#exchanges.take(decision);
    if (exchange === undefined) return;
    if (how === "expired") this.#options.meter.count("exchanges-expired", {});
    this.#part.inLock(() => {
      this.#part.exchangesChanged(this.#exchanges.count);
      this.#load.release(exchange.charge);
      if (exchange.prefillCharge !== undefined && !exchange.isAnswered) {
        this.#load.release(exchange.prefillCharge);
      }
    });
    const record = this.decisions.record(decision);
    if (record !== undefined) {
      record.state = how === "expired" ? "expired" : "closed";
      record.how = how;
      record.outcome = outcome;
    }
    const view = exchangeView(exchange, outcome);
    exchange.hooks.run("onEnd", (plugin) => plugin.onEnd?.(view, how));
  }

  #readySlots(onlyHosts: ReadonlySet<string> | undefined): number {
    const needed = this.#store.slotCount;
    if (this.#slots.length < needed) this.#slots = new Int32Array(2 * needed);
    const count = this.#store.readySlots(this.#slots);
    return onlyHosts === undefined ? count : keepHosts(this.#slots, count, this.#store, onlyHosts);
  }

  #isUsable(target: Target): boolean {
    const { slot, generation } = target;
    return this.#store.generation(slot) === generation && this.#store.isReady(slot);
  }
}

const NO_LABELS: MetricLabels = {};

const NO_HEADERS: ReadonlyMap<string, string> = new Map();

const NO_READY_ENDPOINT: Rejection = {
  reason: "no-endpoints",
  message: "no endpoint of the pool is ready",
};

/** llm-d's label of the decision: `decode-only`, `prefill-decode`, `encode-decode`, … */
function stagesOf({ prefill, encode }: DispatchPlan): string {
  if (prefill.length === 0 && encode.length === 0) return "decode-only";
  const before = [encode.length > 0 ? "encode" : "", prefill.length > 0 ? "prefill" : ""];
  const stages = before.filter((stage) => stage !== "");
  return [...stages, "decode"].join("-");
}

function exchangeView(exchange: LiveExchange, outcome: Outcome | undefined): Exchange {
  return {
    request: exchange.request,
    slot: exchange.target.slot,
    prefillSlot: exchange.prefillCharge?.slot,
    usage: outcome?.usage,
  };
}

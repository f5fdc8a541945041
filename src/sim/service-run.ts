import { modelName, type RequestId, requestId } from "../core/brand.ts";
import { invariant } from "../core/invariant.ts";
import type { Target } from "../director/dispatch-plan.ts";
import type { RouterCore } from "../director/router-core.ts";
import type { EngineFinish, EngineRequest, KvHandle } from "../engine/engine-core.ts";
import { ClientLoad, type Sending } from "./client-load.ts";
import { EngineReports } from "./engine-reports.ts";
import { EVENT_CLASS, EventQueue } from "./event-queue.ts";
import { answeredRequest, type Exchange, outcomeOf } from "./exchange.ts";
import { IdPrompt } from "./id-prompt.ts";
import { planKvLoad } from "./kv-load.ts";
import type { FailureReason } from "./report.ts";
import type { SimulatedService, SimulationSettings } from "./scenario.ts";
import { type KvWish, SimulatedEngine } from "./simulated-engine.ts";
import { simulatedRequest } from "./simulated-request.ts";
import type { Tally } from "./tally.ts";
import type { Stage, WorkloadRequest } from "./workload/workload.ts";

type SimulationEvent =
  | { readonly kind: "arrival"; readonly sending: Sending; readonly isDrawn: boolean }
  /** `handle` names the blocks that a prefill engine holds for the leg. */
  | { readonly kind: "leg"; readonly exchange: Exchange; readonly handle: KvHandle | undefined }
  | { readonly kind: "step" | "scrape" | "kv-events"; readonly node: EngineNode }
  | { readonly kind: "kv-arrival"; readonly reader: EngineNode; readonly wish: KvWish }
  | { readonly kind: "first-byte"; readonly exchange: Exchange }
  | { readonly kind: "end"; readonly exchange: Exchange; readonly finish: EngineFinish };

/** An engine and its places in the queue. */
interface EngineNode {
  readonly engine: SimulatedEngine;
  readonly reports: EngineReports;
  readonly stepSlot: number;
  readonly scrapeSlot: number;
}

/** One service in virtual time: its router core, its engines and the requests between them. */
export class ServiceRun {
  readonly #service: SimulatedService;
  readonly #core: RouterCore;
  readonly #queue = new EventQueue<SimulationEvent>();
  readonly #nodes = new Map<string, EngineNode>();
  readonly #live = new Map<RequestId, Exchange>();
  readonly #networkUs: number;
  readonly #overheadUs: number;
  readonly #scrapeIntervalUs: number;
  readonly #kvEventDelayUs: number;
  #requestCount = 0;
  #clients: ClientLoad;
  #tallies: readonly Tally[] = [];

  constructor(
    service: SimulatedService,
    settings: SimulationSettings,
    parts: { readonly core: RouterCore; scrapePhaseMs(): number },
  ) {
    this.#service = service;
    this.#core = parts.core;
    this.#networkUs = microseconds(settings.networkMs);
    this.#overheadUs = microseconds(settings.overheadMs);
    this.#scrapeIntervalUs = Math.max(1, microseconds(settings.scrapeIntervalMs));
    this.#kvEventDelayUs = microseconds(settings.kvEventDelayMs);
    this.#clients = new ClientLoad({ name: "", arrivals: [] }, 0);
    for (const spec of service.engines) {
      const engine = new SimulatedEngine(spec);
      this.#addNode(engine, microseconds(parts.scrapePhaseMs()));
    }
  }

  get engines(): readonly SimulatedEngine[] {
    return [...this.#nodes.values()].map(({ engine }) => engine);
  }

  get nowUs(): number {
    return this.#queue.nowUs;
  }

  /** Requests that reached the router so far. */
  get requestCount(): number {
    return this.#requestCount;
  }

  /** Begins a stage; its requests are counted in the tallies. */
  begin(stage: Stage, tallies: readonly Tally[]): void {
    this.#clients = new ClientLoad(stage, this.nowUs);
    this.#tallies = tallies;
  }

  /** Draws the arrivals that can be drawn; a promise while a trace is being read. */
  draw(): Promise<void> | undefined {
    while (this.#clients.isReady) {
      const sending = this.#clients.next();
      if (sending instanceof Promise) return sending.then((drawn) => this.#send(drawn, true));
      this.#send(sending, true);
    }
    return undefined;
  }

  /** Handles the next event; false when the stage is drained. */
  step(): boolean {
    if (this.#clients.isOver) return false;
    const event = this.#queue.pop();
    invariant(event !== undefined, "requests are under way and nothing is going to happen");
    this.#handle(event);
    return true;
  }

  #handle(event: SimulationEvent): void {
    switch (event.kind) {
      case "arrival":
        this.#arrive(event.sending, event.isDrawn);
        break;
      case "leg":
        this.#startLeg(event.exchange, event.handle);
        break;
      case "step":
        this.#touch(event.node, (engine) => engine.notePeaks());
        break;
      case "kv-arrival":
        this.#kvArrived(event.reader, event.wish);
        break;
      case "scrape":
        this.#touch(event.node, () => event.node.reports.scrape(this.#nowMs));
        this.#scheduleScrape(event.node, this.nowUs + this.#scrapeIntervalUs);
        break;
      case "kv-events":
        event.node.reports.flush(this.#nowMs);
        break;
      case "first-byte":
        this.#core.firstByte(event.exchange.decision, this.#nowMs);
        break;
      case "end":
        if (event.finish.end === "done") this.#answer(event.exchange, event.finish);
        else this.#fail(event.exchange, "kv-load-failed");
        break;
    }
  }

  get #nowMs(): number {
    return this.nowUs / 1000;
  }

  #addNode(engine: SimulatedEngine, scrapePhaseUs: number): void {
    const reports = new EngineReports(this.#core, engine);
    const slots = { stepSlot: this.#queue.reserve(), scrapeSlot: this.#queue.reserve() };
    const node: EngineNode = { engine, reports, ...slots };
    this.#queue.assign(node.stepSlot, { kind: "step", node });
    this.#queue.assign(node.scrapeSlot, { kind: "scrape", node });
    this.#nodes.set(engine.spec.name, node);
    this.#scheduleScrape(node, scrapePhaseUs);
  }

  #scheduleScrape(node: EngineNode, atUs: number): void {
    this.#queue.schedule(node.scrapeSlot, atUs, EVENT_CLASS.notice);
  }

  #send(sending: Sending | undefined, isDrawn: boolean): void {
    if (sending === undefined) return;
    const atUs = sending.atUs + this.#overheadUs;
    this.#queue.push(atUs, EVENT_CLASS.arrival, { kind: "arrival", sending, isDrawn });
  }

  #arrive({ atUs: sentUs, request: workload }: Sending, isDrawn: boolean): void {
    if (isDrawn) this.#clients.sent();
    const id = requestId((this.#requestCount++).toString(36));
    const prompt = new IdPrompt(workload.segments, this.#service.modelName);
    for (const tally of this.#tallies) tally.arrived();
    const admission = this.#core.arrive(
      simulatedRequest({
        id,
        model: modelName(this.#service.modelName),
        prompt,
        maxOutputTokens: workload.outputTokens,
      }),
      this.#nowMs,
    );
    invariant(admission.kind !== "queued", "flow control is not simulated");
    if (admission.kind === "rejected") {
      for (const tally of this.#tallies) tally.rejected(admission.rejection.reason, this.nowUs);
      this.#over(workload);
      return;
    }
    const { plan, decision } = admission;
    const { engine: target } = this.#nodeOf(plan.primary[0]);
    // The sidecar takes the first prefill endpoint that answers, and here all of them do.
    const isSplit = target.spec.hasSidecar && plan.prefill.length > 0;
    const exchange: Exchange = {
      id,
      workload,
      prompt,
      sentUs,
      decision,
      target,
      prefill: isSplit ? this.#nodeOf(plan.prefill[0]).engine : undefined,
      isPrefilling: isSplit,
      firstTokenUs: 0,
      cachedTokens: 0,
      preemptionCount: 0,
      transfer: undefined,
    };
    this.#live.set(id, exchange);
    // A split request reaches the prefill engine by way of the decode endpoint's sidecar.
    this.#sendLeg(exchange, undefined, this.nowUs + (isSplit ? 2 : 1) * this.#networkUs);
  }

  #sendLeg(exchange: Exchange, handle: KvHandle | undefined, atUs: number): void {
    this.#queue.push(atUs, EVENT_CLASS.arrival, { kind: "leg", exchange, handle });
  }

  #startLeg(exchange: Exchange, handle: KvHandle | undefined): void {
    const { id, prompt, workload, isPrefilling } = exchange;
    const node = this.#nodeAt((isPrefilling ? exchange.prefill : undefined) ?? exchange.target);
    const { config, isKvConnectorEnabled } = node.engine.spec;
    const { tokenCount } = prompt;
    const outputTokens = isPrefilling ? 1 : workload.outputTokens;
    if (node.engine.core.fault(tokenCount, outputTokens) !== undefined) {
      this.#fail(exchange, "engine-refused");
      return;
    }
    const kv = isPrefilling
      ? ({ kind: "hold", handle: handleOf(id) } as const)
      : handle && ({ kind: "load", handle, tokenCount } as const);
    const request: EngineRequest = {
      id,
      prompt: prompt.toEnginePrompt(config.blockTokens, config.isKvEventsEnabled),
      outputTokens,
      ...(isKvConnectorEnabled && kv !== undefined && { kv }),
    };
    this.#touch(node, (engine) => engine.submit(request, this.nowUs));
  }

  /** Brings an engine to this moment, uses it, and passes on what it said. */
  #touch(node: EngineNode, use: (engine: SimulatedEngine) => unknown): void {
    const { engine } = node;
    engine.advance(this.nowUs);
    use(engine);
    const { begun, finished, kvEvents } = engine.news;
    for (const { id, atUs } of begun.splice(0)) this.#begun(this.#exchange(id), atUs);
    for (const finish of finished.splice(0)) this.#finished(this.#exchange(finish.id), finish);
    if (kvEvents.length > 0 && node.reports.gather()) {
      const atUs = this.nowUs + this.#kvEventDelayUs;
      this.#queue.push(atUs, EVENT_CLASS.notice, { kind: "kv-events", node });
    }
    for (const wish of engine.news.wishes.splice(0)) this.#grant(node, wish);
    this.#queue.schedule(node.stepSlot, engine.nextUs(), EVENT_CLASS.step);
  }

  #begun(exchange: Exchange, atUs: number): void {
    if (exchange.isPrefilling) return;
    exchange.firstTokenUs = atUs;
    const event = { kind: "first-byte", exchange } as const;
    this.#queue.push(atUs + this.#networkUs, EVENT_CLASS.notice, event);
  }

  #finished(exchange: Exchange, finish: EngineFinish): void {
    const { prefill, isPrefilling } = exchange;
    exchange.preemptionCount += finish.preemptionCount;
    const atUs = finish.atUs + this.#networkUs;
    if (prefill === undefined || isPrefilling) exchange.cachedTokens = finish.cachedTokens;
    if (prefill !== undefined && isPrefilling) {
      exchange.isPrefilling = false;
      const handle = handleOf(exchange.id);
      const isHeld = prefill.core.kvHeld(handle, this.nowUs) !== undefined;
      this.#sendLeg(exchange, isHeld ? handle : undefined, atUs);
    } else {
      this.#queue.push(atUs, EVENT_CLASS.notice, { kind: "end", exchange, finish });
    }
  }

  /** Fetches the blocks that an engine waits for, or lets their holder free them. */
  #grant(reader: EngineNode, wish: KvWish): void {
    const exchange = this.#exchange(wish.id);
    invariant(exchange.prefill !== undefined, "a request that was not split loads blocks");
    this.#touch(this.#nodeAt(exchange.prefill), (holder) => {
      if (wish.tokenCount === 0) {
        holder.core.kvReleased(wish.handle, this.nowUs);
        return;
      }
      const plan = planKvLoad(wish, reader.engine, holder, this.nowUs);
      if (plan.kind === "fails") {
        for (const tally of this.#tallies) tally.transferFailed();
        reader.engine.core.kvFailed(wish.handle, this.nowUs);
        return;
      }
      const { bytes } = plan;
      exchange.transfer = { bytes, ms: (plan.atUs - wish.atUs) / 1000 };
      const atUs = Math.max(this.nowUs, plan.atUs);
      this.#queue.push(atUs, EVENT_CLASS.transfer, { kind: "kv-arrival", reader, wish });
    });
  }

  #kvArrived(reader: EngineNode, { id, handle }: KvWish): void {
    const { prefill, transfer } = this.#exchange(id);
    for (const tally of this.#tallies) {
      tally.transferred(transfer?.bytes ?? 0, transfer?.ms ?? 0);
    }
    this.#touch(reader, ({ core }) => core.kvArrived(handle, this.nowUs));
    if (prefill === undefined) return;
    this.#touch(this.#nodeAt(prefill), ({ core }) => core.kvReleased(handle, this.nowUs));
  }

  #answer(exchange: Exchange, finish: EngineFinish): void {
    const answer = answeredRequest(exchange, finish, this.#networkUs);
    for (const tally of this.#tallies) tally.answered(answer, this.nowUs);
    const outcome = outcomeOf(exchange, 200, answer);
    this.#core.end(exchange.decision, "completed", outcome, this.#nowMs);
    this.#live.delete(exchange.id);
    this.#over(exchange.workload);
  }

  #fail(exchange: Exchange, reason: FailureReason): void {
    for (const tally of this.#tallies) tally.failed(reason, this.nowUs);
    // An engine's own refusal is relayed like any other answer.
    const [how, status] =
      reason === "engine-refused"
        ? (["completed", 400] as const)
        : (["engine-error", 500] as const);
    const outcome = outcomeOf(exchange, status, undefined);
    this.#core.end(exchange.decision, how, outcome, this.#nowMs);
    this.#live.delete(exchange.id);
    this.#over(exchange.workload);
  }

  #over(workload: WorkloadRequest): void {
    this.#send(this.#clients.ended(workload, this.nowUs), false);
  }

  #exchange(id: RequestId): Exchange {
    const exchange = this.#live.get(id);
    invariant(exchange !== undefined, `an engine speaks of ${id}, which is over`);
    return exchange;
  }

  #nodeOf(target: Target | undefined): EngineNode {
    const node = target === undefined ? undefined : this.#nodes.get(target.id);
    invariant(node !== undefined, "the router chose an endpoint that is not there");
    return node;
  }

  #nodeAt(engine: SimulatedEngine): EngineNode {
    const node = this.#nodes.get(engine.spec.name);
    invariant(node !== undefined, `${engine.spec.name} is not in this pool`);
    return node;
  }
}

/** Only one hold of a request exists at a time, so its id names it. */
function handleOf(id: RequestId): KvHandle {
  return id as string as KvHandle;
}

function microseconds(ms: number): number {
  return Math.round(ms * 1000);
}

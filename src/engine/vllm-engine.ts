import type { RequestId } from "../core/brand.ts";
import { invariant } from "../core/invariant.ts";
import { BlockPhases } from "./block-phases.ts";
import type { EngineConfig } from "./engine-config.ts";
import type {
  EngineCore,
  EngineEnd,
  EngineGauges,
  EngineRequest,
  EngineSink,
  KvHandle,
} from "./engine-core.ts";
import { KvCache } from "./kv-cache.ts";
import { KvHolds } from "./kv-holds.ts";
import { requestFault } from "./request-fault.ts";
import { Run } from "./run.ts";
import { Scheduler, tellWanted } from "./scheduler.ts";
import { Sequence } from "./sequence.ts";
import { createStepCost, type StepCost } from "./step-cost.ts";

/** An engine that starts empty at time 0. */
export function createEngine(config: EngineConfig): EngineCore {
  return new VllmEngine(config);
}

/**
 * Time goes in runs: a batch is planned, its steps follow a formula, and the run ends when a sequence
 * finishes, blocks run out, or something comes from outside. A step is planned only when time goes
 * beyond its start, so that everything that comes at the very start is part of it.
 */
class VllmEngine implements EngineCore {
  readonly #config: EngineConfig;
  readonly #cost: StepCost;
  readonly #kv: KvCache;
  readonly #holds: KvHolds;
  readonly #scheduler: Scheduler;
  readonly #phases: BlockPhases;
  readonly #live = new Map<RequestId, Sequence>();
  #leaving: Sequence[] = [];
  #nowUs = 0;
  #isAdvancing = false;
  #run: Run | undefined;
  /** Steps of the run that have their blocks, and steps whose tokens are out. */
  #started = 0;
  #ended = 0;
  /** When the next step may be planned; undefined while a plan would change nothing. */
  #planUs: number | undefined;

  constructor(config: EngineConfig) {
    this.#config = config;
    const { model, gpu, tensorParallel, calibration } = config;
    this.#cost = createStepCost(model, gpu, tensorParallel, calibration);
    this.#kv = new KvCache(config);
    this.#holds = new KvHolds(this.#kv.pool);
    this.#scheduler = new Scheduler(config, this.#kv, this.#cost);
    this.#phases = new BlockPhases(config.blockTokens);
  }

  get gauges(): EngineGauges {
    const { pool } = this.#kv;
    const { queries, hits } = this.#scheduler.prefixCache;
    return {
      runningRequests: this.#scheduler.running.length,
      waitingRequests: this.#scheduler.waitingCount,
      kvCacheUsage: pool.usedCount / (pool.blockCount - 1),
      blockCount: pool.blockCount,
      blockTokens: this.#config.blockTokens,
      prefixCacheQueries: queries,
      prefixCacheHits: hits,
      preemptions: this.#scheduler.preemptions,
      heldBlocks: this.#holds.blockCount,
    };
  }

  fault(promptTokens: number, outputTokens: number): string | undefined {
    return requestFault(this.#config, promptTokens, outputTokens);
  }

  submit(request: EngineRequest, nowUs: number): void {
    this.#checkCall(nowUs);
    const { id, prompt, outputTokens } = request;
    const { blockTokens, isPrefixCachingEnabled, isKvEventsEnabled } = this.#config;
    const fault = this.fault(prompt.tokenCount, outputTokens);
    invariant(fault === undefined, fault ?? "");
    invariant(!this.#live.has(id), `request ${id} is running already`);
    invariant(
      !isPrefixCachingEnabled ||
        prompt.blockKeys.length === Math.floor(prompt.tokenCount / blockTokens),
      "a prompt has one key for each full block",
    );
    invariant(
      !isKvEventsEnabled || prompt.tokenIds?.length === prompt.tokenCount,
      "KV events need the prompt's token ids",
    );
    const sequence = new Sequence(request, nowUs, blockTokens);
    this.#live.set(id, sequence);
    this.#scheduler.enqueue(sequence);
    this.#disturb(nowUs);
  }

  abort(id: RequestId, nowUs: number): void {
    this.#checkCall(nowUs);
    const sequence = this.#live.get(id);
    if (sequence !== undefined) this.#dismiss(sequence, "aborted", nowUs);
  }

  kvArrived(handle: KvHandle, nowUs: number): void {
    this.#checkCall(nowUs);
    for (const sequence of this.#scheduler.takeLoading(handle)) {
      sequence.loadedTokens = sequence.offeredTokens - sequence.cachedTokens;
      this.#scheduler.resume(sequence, sequence.offeredTokens);
      this.#disturb(nowUs);
    }
  }

  kvFailed(handle: KvHandle, nowUs: number): void {
    this.#checkCall(nowUs);
    for (const sequence of this.#scheduler.takeLoading(handle)) {
      if (this.#config.kvLoadFailurePolicy === "fail") {
        this.#dismiss(sequence, "kv-load-failed", nowUs);
      } else {
        this.#scheduler.resume(sequence, sequence.cachedTokens);
        this.#disturb(nowUs);
      }
    }
  }

  kvReleased(handle: KvHandle, nowUs: number): boolean {
    this.#checkCall(nowUs);
    const isHeld = this.#holds.release(handle);
    if (isHeld) this.#disturb(nowUs);
    return isHeld;
  }

  kvHeld(
    handle: KvHandle,
    nowUs: number,
  ): { readonly tokenCount: number; readonly blockCount: number } | undefined {
    const hold = this.#holds.get(handle);
    return hold === undefined || hold.expiresUs <= nowUs ? undefined : hold;
  }

  nextEventUs(): number {
    const expiryUs = this.#holds.nextExpiryUs;
    if (this.#run !== undefined) return Math.min(expiryUs, Math.ceil(this.#run.endUs));
    if (this.#planUs === undefined) return expiryUs;
    return Math.min(expiryUs, Math.floor(this.#planUs) + 1);
  }

  nextStepUs(): number {
    if (this.#run === undefined) return Number.POSITIVE_INFINITY;
    const next = Math.min(this.#ended + 1, this.#run.steps);
    return Math.ceil(this.#run.timeUs(next));
  }

  advance(untilUs: number, sink: EngineSink): void {
    invariant(!this.#isAdvancing, "a sink called its engine back");
    invariant(untilUs >= this.#nowUs, `time went back from ${this.#nowUs} to ${untilUs} us`);
    this.#isAdvancing = true;
    try {
      for (;;) {
        // What finishes on the way may hold blocks that expire before the end.
        const limitUs = Math.min(untilUs, this.#holds.nextExpiryUs);
        if (this.#moveOn(limitUs, sink)) continue;
        if (this.#holds.nextExpiryUs > untilUs) break;
        this.#holds.releaseOldest();
        this.#disturb(limitUs);
      }
      this.#nowUs = untilUs;
    } finally {
      this.#isAdvancing = false;
    }
  }

  /** Follows the run to its end, or plans the next; false when the limit came first. */
  #moveOn(limitUs: number, sink: EngineSink): boolean {
    if (this.#run !== undefined) return this.#follow(this.#run, limitUs, sink);
    if (this.#planUs === undefined || this.#planUs >= limitUs) return false;
    this.#plan(this.#planUs, sink);
    return true;
  }

  /** Brings the run to the time; true when that ended it. */
  #follow(run: Run, untilUs: number, sink: EngineSink): boolean {
    const started = run.startedBefore(untilUs);
    if (started > this.#started) this.#phases.apply(this.#kv, this.#started, started);
    this.#started = Math.max(this.#started, started);
    const first = this.#ended;
    this.#ended = run.endedBy(untilUs);
    if (this.#ended > first) {
      const timeUs = (k: number): number => Math.ceil(run.timeUs(first + k + 1));
      for (const sequence of this.#scheduler.running) {
        if (sequence.isEmitting) sink.tokens(sequence.request.id, this.#ended - first, timeUs);
      }
    }
    if (this.#ended < run.steps) return false;
    this.#run = undefined;
    this.#planUs = run.endUs;
    this.#settle(run, sink);
    return true;
  }

  /** Books the run's steps on its sequences and lets the finished ones go. */
  #settle(run: Run, sink: EngineSink): void {
    const { running } = this.#scheduler;
    let kept = 0;
    for (const sequence of running) {
      const { isEmitting, scheduled } = sequence;
      // A run of several steps is one of decodes alone: each step computes one token.
      if (scheduled > 0) sequence.computed += scheduled + run.steps - 1;
      if (isEmitting) sequence.generated += run.steps;
      sequence.scheduled = 0;
      if (sequence.generated < sequence.request.outputTokens) running[kept++] = sequence;
      else this.#finish(sequence, "done", run.endUs, sink);
    }
    running.length = kept;
  }

  #plan(atUs: number, sink: EngineSink): void {
    this.#planUs = undefined;
    this.#dischargeLeaving(atUs, sink);
    if (this.#scheduler.planStep(atUs, sink)) {
      const { load } = this.#scheduler;
      const growthUs = this.#cost.growthUs(load.decodes);
      this.#run = new Run(atUs, this.#cost.stepUs(load), growthUs, this.#plannedSteps());
      this.#started = 1;
      this.#ended = 0;
    }
    const events = this.#kv.drainEvents();
    if (events.length > 0) sink.kvEvents(events, Math.ceil(atUs));
  }

  /** Steps that the planned batch can do unchanged. */
  #plannedSteps(): number {
    const { running, isSteady } = this.#scheduler;
    if (!isSteady) return 1;
    let steps = Number.POSITIVE_INFINITY;
    for (const { request, generated } of running) {
      steps = Math.min(steps, request.outputTokens - generated);
    }
    if (steps === 1) return 1;
    this.#phases.sort(running);
    steps = Math.min(steps, this.#phases.stepsWithin(this.#kv.pool.freeCount));
    // Whoever hears of blocks must hear in time, so a step that changes them begins a run.
    return this.#config.isKvEventsEnabled
      ? Math.min(steps, this.#phases.stepsToBlockChange())
      : steps;
  }

  #dischargeLeaving(atUs: number, sink: EngineSink): void {
    if (this.#leaving.length === 0) return;
    const leaving = this.#leaving;
    this.#leaving = [];
    for (const sequence of leaving) {
      if (this.#live.get(sequence.request.id) !== sequence) continue;
      this.#scheduler.remove(sequence);
      // Nobody will come for the blocks, so their holder may free them.
      if (sequence.isLoadPending) tellWanted(sequence, 0, atUs, sink);
      this.#finish(sequence, sequence.leaving ?? "aborted", atUs, sink);
    }
  }

  #finish(sequence: Sequence, end: EngineEnd, exactUs: number, sink: EngineSink): void {
    const { request, submittedUs, startedUs } = sequence;
    const atUs = Math.ceil(exactUs);
    let keep = 0;
    if (end === "done" && request.kv?.kind === "hold") {
      keep = Math.ceil(sequence.promptTokens / this.#config.blockTokens);
      this.#holds.add(request.kv.handle, {
        blocks: sequence.blocks,
        blockCount: keep,
        tokenCount: sequence.promptTokens,
        expiresUs: atUs + this.#config.kvHoldUs,
      });
    }
    this.#kv.release(sequence, keep);
    this.#live.delete(request.id);
    sink.finished({
      id: request.id,
      end,
      atUs,
      generatedTokens: sequence.generated,
      cachedTokens: sequence.cachedTokens,
      loadedTokens: sequence.loadedTokens,
      queuedUs: Math.ceil(startedUs ?? exactUs) - submittedUs,
      preemptionCount: sequence.preemptionCount,
    });
  }

  #dismiss(sequence: Sequence, end: EngineEnd, nowUs: number): void {
    sequence.leaving ??= end;
    this.#leaving.push(sequence);
    this.#disturb(nowUs);
  }

  /** Something changed: the step under way is the last of its run, and the next is planned anew. */
  #disturb(atUs: number): void {
    if (this.#run === undefined) this.#planUs = Math.max(this.#planUs ?? 0, atUs);
    else this.#run.cut(atUs);
  }

  #checkCall(nowUs: number): void {
    invariant(!this.#isAdvancing, "a sink called its engine back");
    invariant(nowUs === this.#nowUs, `called for ${nowUs} us, advanced to ${this.#nowUs} us`);
  }
}

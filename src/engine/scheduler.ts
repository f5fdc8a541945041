import { invariant } from "../core/invariant.ts";
import type { EngineConfig } from "./engine-config.ts";
import type { EngineSink, KvHandle } from "./engine-core.ts";
import type { KvCache } from "./kv-cache.ts";
import type { Sequence } from "./sequence.ts";
import type { StepCost, StepLoad } from "./step-cost.ts";

/**
 * vLLM's V1 scheduler, first come first served: running sequences get their tokens first, what is left of
 * the budget admits waiting ones. The waiting list is as long as submitters make it, as in vLLM.
 */
export class Scheduler {
  readonly running: Sequence[] = [];
  /** What the last planned step computes. */
  readonly load: StepLoad = {
    newTokens: 0,
    sequences: 0,
    prefillAttentionUs: 0,
    decodes: 0,
    decodeContextTokens: 0,
    sharedContextTokens: 0,
  };
  readonly #config: EngineConfig;
  readonly #kv: KvCache;
  readonly #cost: StepCost;
  readonly #waiting: Sequence[] = [];
  /** Allocated, waiting for another engine's blocks; they take no part in scheduling. */
  readonly #loading: Sequence[] = [];
  /** Loaded. They own their blocks, so they go first: behind a head that needs those they would never start. */
  readonly #loaded: Sequence[] = [];
  #budget = 0;
  /** Prompt tokens of the step's decodes. */
  #sharableTokens = 0;
  #preemptions = 0;
  #hasPreempted = false;
  #prefixQueries = 0;
  #prefixHits = 0;

  constructor(config: EngineConfig, kv: KvCache, cost: StepCost) {
    this.#config = config;
    this.#kv = kv;
    this.#cost = cost;
  }

  get waitingCount(): number {
    return this.#waiting.length + this.#loading.length + this.#loaded.length;
  }

  get preemptions(): number {
    return this.#preemptions;
  }

  /** Prompt tokens looked up in the prefix cache, and those found. */
  get prefixCache(): { readonly queries: number; readonly hits: number } {
    return { queries: this.#prefixQueries, hits: this.#prefixHits };
  }

  enqueue(sequence: Sequence): void {
    this.#waiting.push(sequence);
  }

  /** Ends the wait for blocks under the handle and returns whose it was. */
  takeLoading(handle: KvHandle): readonly Sequence[] {
    const isWanted = ({ request }: Sequence): boolean =>
      request.kv?.kind === "load" && request.kv.handle === handle;
    const taken = this.#loading.filter(isWanted);
    for (const sequence of taken) removeFrom(this.#loading, sequence);
    return taken;
  }

  /** Lets a sequence start whose first `computed` tokens are in its blocks. */
  resume(sequence: Sequence, computed: number): void {
    // The last token is computed again, since its output is the first generated one.
    sequence.computed = Math.min(computed, sequence.tokenCount - 1);
    this.#loaded.push(sequence);
  }

  /** Takes a sequence out, wherever it is. */
  remove(sequence: Sequence): void {
    for (const list of [this.running, this.#waiting, this.#loading, this.#loaded]) {
      removeFrom(list, sequence);
    }
  }

  /** Chooses what the step starting at `atUs` computes; false when there is nothing. */
  planStep(atUs: number, sink: EngineSink): boolean {
    resetLoad(this.load);
    this.#sharableTokens = 0;
    this.#budget = this.#config.maxNumBatchedTokens;
    const preemptionsBefore = this.#preemptions;
    this.#continueRunning();
    this.#hasPreempted = this.#preemptions > preemptionsBefore;
    // vLLM admits nobody in a step that preempted; with nothing left to run there is no other step.
    if (!this.#hasPreempted || this.running.length === 0) this.#admit(atUs, sink);
    // Others than decodes share too, but nobody shares what was generated; both bounds hold for a whole run.
    const sharedTokens = this.#kv.pool.sharedCount * this.#config.blockTokens;
    this.load.sharedContextTokens = Math.min(this.#sharableTokens, sharedTokens);
    return this.load.sequences > 0;
  }

  /** Whether the next step is planned alike: one token for each running sequence, and nobody to admit. */
  get isSteady(): boolean {
    return this.load.decodes === this.running.length && !this.#hasPreempted;
  }

  #continueRunning(): void {
    for (let i = 0; i < this.running.length; i++) {
      const sequence = this.running[i] as Sequence;
      const tokens = Math.min(sequence.tokenCount - sequence.computed, this.#budget);
      sequence.scheduled = 0;
      if (tokens === 0) continue;
      if (!this.#makeRoom(sequence, sequence.computed + tokens)) return;
      this.#schedule(sequence, tokens);
    }
  }

  /** Preempts from the end of the batch until the sequence has room; false when it had to go itself. */
  #makeRoom(sequence: Sequence, tokens: number): boolean {
    while (!this.#kv.grow(sequence, tokens)) {
      const victim = this.running.pop() as Sequence;
      this.#kv.release(victim);
      victim.scheduled = 0;
      victim.preemptionCount++;
      this.#preemptions++;
      this.#waiting.unshift(victim);
      if (victim === sequence) return false;
    }
    return true;
  }

  #admit(atUs: number, sink: EngineSink): void {
    while (this.#budget > 0 && this.running.length < this.#config.maxNumSeqs) {
      const loaded = this.#loaded.shift();
      if (loaded !== undefined) {
        this.#start(loaded, atUs);
        continue;
      }
      const head = this.#waiting[0];
      if (head === undefined) return;
      const cachedBlocks = this.#kv.findPrefix(head);
      const isAdmitted = this.#isLoading(head, cachedBlocks)
        ? this.#beginLoad(head, cachedBlocks, atUs, sink)
        : this.#beginLocally(head, cachedBlocks, atUs, sink);
      if (!isAdmitted) return;
      this.#waiting.shift();
    }
  }

  /** Whether another engine has tokens of the prompt that are not cached here. */
  #isLoading(sequence: Sequence, cachedBlocks: number): boolean {
    const cachedTokens = cachedBlocks * this.#config.blockTokens;
    return sequence.isLoadPending && sequence.offeredTokens > cachedTokens;
  }

  /** Takes room for the whole prompt and asks for what is missing of it. */
  #beginLoad(sequence: Sequence, cachedBlocks: number, atUs: number, sink: EngineSink): boolean {
    const { promptTokens } = sequence;
    if (!this.#kv.hasRoom(sequence, cachedBlocks, promptTokens)) return false;
    this.#kv.sharePrefix(sequence, cachedBlocks);
    this.#grow(sequence, promptTokens);
    this.#countLookup(sequence, cachedBlocks * this.#config.blockTokens);
    this.#loading.push(sequence);
    tellWanted(sequence, sequence.offeredTokens - sequence.cachedTokens, atUs, sink);
    return true;
  }

  #beginLocally(sequence: Sequence, cachedBlocks: number, atUs: number, sink: EngineSink): boolean {
    // The last token is always computed, and with it the block in which it is.
    const { blockTokens } = this.#config;
    const mostBlocks = Math.floor((sequence.tokenCount - 1) / blockTokens);
    const sharedBlocks = Math.min(cachedBlocks, mostBlocks);
    // Room for the first chunk alone would let half-computed prompts preempt one another for ever.
    if (!this.#kv.hasRoom(sequence, sharedBlocks, sequence.tokenCount)) return false;
    this.#kv.sharePrefix(sequence, sharedBlocks);
    sequence.computed = sharedBlocks * blockTokens;
    if (sequence.startedUs === undefined) this.#countLookup(sequence, sequence.computed);
    if (sequence.isLoadPending) tellWanted(sequence, 0, atUs, sink);
    this.#start(sequence, atUs);
    return true;
  }

  #start(sequence: Sequence, atUs: number): void {
    const tokens = Math.min(sequence.tokenCount - sequence.computed, this.#budget);
    this.#grow(sequence, sequence.computed + tokens);
    sequence.startedUs ??= atUs;
    this.running.push(sequence);
    this.#schedule(sequence, tokens);
  }

  /** Takes room that was found to be there. */
  #grow(sequence: Sequence, tokens: number): void {
    const hasRoom = this.#kv.grow(sequence, tokens);
    invariant(hasRoom, "a sequence was admitted without room");
  }

  #schedule(sequence: Sequence, tokens: number): void {
    const { load } = this;
    const { computed } = sequence;
    this.#kv.keyFullBlocks(sequence, computed + tokens);
    sequence.scheduled = tokens;
    this.#budget -= tokens;
    load.newTokens += tokens;
    load.sequences++;
    if (tokens === 1 && sequence.isEmitting) {
      load.decodes++;
      load.decodeContextTokens += computed;
      this.#sharableTokens += sequence.promptTokens - 1;
    } else {
      load.prefillAttentionUs += this.#cost.prefillAttentionUs(tokens, computed);
    }
  }

  #countLookup(sequence: Sequence, cachedTokens: number): void {
    sequence.cachedTokens = cachedTokens;
    if (!this.#config.isPrefixCachingEnabled) return;
    this.#prefixQueries += sequence.promptTokens;
    this.#prefixHits += cachedTokens;
  }
}

/** Asks for blocks once; zero tokens let the holder free them. */
export function tellWanted(
  sequence: Sequence,
  tokenCount: number,
  atUs: number,
  sink: EngineSink,
): void {
  const { id, kv } = sequence.request;
  sequence.isLoadPending = false;
  if (kv?.kind === "load") sink.kvWanted(id, kv.handle, tokenCount, Math.ceil(atUs));
}

function removeFrom(list: Sequence[], sequence: Sequence): void {
  const index = list.indexOf(sequence);
  if (index >= 0) list.splice(index, 1);
}

function resetLoad(load: StepLoad): void {
  load.newTokens = 0;
  load.sequences = 0;
  load.prefillAttentionUs = 0;
  load.decodes = 0;
  load.decodeContextTokens = 0;
  load.sharedContextTokens = 0;
}

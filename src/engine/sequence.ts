import type { EngineEnd, EngineRequest } from "./engine-core.ts";

/** A request inside an engine, from submission to its end. */
export class Sequence {
  readonly request: EngineRequest;
  readonly submittedUs: number;
  /** Blocks of the sequence in order; `blockCount` of them are referenced. */
  readonly blocks: Int32Array;
  blockCount = 0;
  /** Leading blocks that have their key. */
  keyedBlocks = 0;
  /** Tokens whose KV is in the blocks, at the start of the current run. */
  computed = 0;
  /** Tokens emitted, at the start of the current run. */
  generated = 0;
  /** Tokens that the step under way computes. */
  scheduled = 0;
  cachedTokens = 0;
  loadedTokens = 0;
  preemptionCount = 0;
  /** When it first joined a batch. */
  startedUs: number | undefined;
  /** Whether another engine's blocks are still to be asked for. */
  isLoadPending: boolean;
  /** Set when it has to leave at the next step. */
  leaving: EngineEnd | undefined;

  constructor(request: EngineRequest, submittedUs: number, blockTokens: number) {
    this.request = request;
    this.submittedUs = submittedUs;
    // The last token is emitted, never fed back, so it needs no room.
    const kvTokens = request.prompt.tokenCount + request.outputTokens - 1;
    this.blocks = new Int32Array(Math.ceil(kvTokens / blockTokens));
    this.isLoadPending = request.kv?.kind === "load";
  }

  get promptTokens(): number {
    return this.request.prompt.tokenCount;
  }

  /** Prompt and what was generated. */
  get tokenCount(): number {
    return this.promptTokens + this.generated;
  }

  /** Whether the step under way gives a token. */
  get isEmitting(): boolean {
    return this.scheduled > 0 && this.computed + this.scheduled === this.tokenCount;
  }

  /** Prompt tokens that the holder of its blocks offers. */
  get offeredTokens(): number {
    const { kv } = this.request;
    return kv?.kind === "load" ? Math.min(kv.tokenCount, this.promptTokens) : 0;
  }
}
